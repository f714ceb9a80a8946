"""Find faces.

python detect.py photo.jpg --output found.jpg                    # a picture, annotated
python detect.py holiday/ --json faces.jsonl                     # a folder, one JSON object per picture
python detect.py --video cam0                                    # the first camera, in a window
python detect.py --video clip.mp4 --output found.mp4 --no-window # a video
"""

from blazeface.cli.main import exit_process, run_command

if __name__ == "__main__":
    exit_process(run_command("detect"))
