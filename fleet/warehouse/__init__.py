"""The way out to a warehouse: readings as typed, flat rows, in Parquet and Delta Lake."""
