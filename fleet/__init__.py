"""The fleet service: ingest, store, watermark and the growers' page."""
