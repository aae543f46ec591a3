"""What runs on the server: collect and check, average, recalibrate, fine-tune."""
