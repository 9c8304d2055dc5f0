"""The one entry point: `python launch.py +experiment=NAME [task=NAME] [key=value ...]`; `--help` lists everything.

Thin on purpose: it only says where conf/ lies. Nothing heavy is imported before the configuration is composed.
"""

from pathlib import Path

from motion4d.cli import main

if __name__ == "__main__":
    main(Path(__file__).resolve().parent / "conf")
