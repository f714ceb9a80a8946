"""Speed: contenders in processes of their own, taking turns."""
