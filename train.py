"""Train a face detector.

python train.py --data ROOT --out runs/mine                      # front-128 on anything in WIDER FACE's layout
python train.py --data ROOT --out runs/mine --resume runs/mine   # go on where it stopped
torchrun --nproc-per-node 2 train.py --data ROOT --out runs/mine # several processes
"""

import sys

from blazeface.cli.main import run_command

if __name__ == "__main__":
    sys.exit(run_command("train"))
