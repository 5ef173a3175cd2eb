"""Many runs on one data set: claimed by processes, gone on with, told apart from chance."""
