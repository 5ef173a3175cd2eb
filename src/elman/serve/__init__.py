"""`elman serve`: trained models over HTTP, with the interface of OpenAI where there is one."""
