"""Turn trained weights into files that phones run.

python export.py --weights runs/mine/model.safetensors --format onnx --out mine.onnx
"""

import sys

from blazeface.cli.main import run_command

if __name__ == "__main__":
    sys.exit(run_command("export"))
