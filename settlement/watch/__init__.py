"""The watch over readings and devices before anything is settled: findings and calls for help, no changed values."""
