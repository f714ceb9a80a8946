"""Where results go: pictures and videos, JSON, CSV, COCO and YOLO files, face crops, the window."""
