"""Tables in whatever holds them: spreadsheets, columnar files, databases, JSON, data frames."""
