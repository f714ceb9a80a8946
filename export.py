"""Turn trained weights into files that phones run.

python export.py --weights runs/mine/model.safetensors --format onnx --out mine.onnx
python export.py --weights front-128 --format onnx --out front.onnx --pictures holiday/ # checked on your pictures
python export.py --weights front-128 --format tflite --precision int8 --data ROOT --out small.tflite # and by AP
python export.py --weights front-128 --format onnx --decode --nms --out whole.onnx # uint8 picture in, faces out
"""

import sys

from blazeface.cli.main import run_command

if __name__ == "__main__":
    sys.exit(run_command("export"))
