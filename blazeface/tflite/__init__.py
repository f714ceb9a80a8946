"""The .tflite format: reading, writing, quantising, metadata, and what a GPU delegate refuses."""
