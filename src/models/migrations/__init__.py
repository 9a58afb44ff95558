"""The migrations of the store, run by `models.schema`; one file per step, oldest first, never changed once released."""
