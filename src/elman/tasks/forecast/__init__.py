"""Read the past of time series, forecast what comes next."""
