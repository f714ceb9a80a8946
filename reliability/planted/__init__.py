"""Faults to plant, one list a part of the package: see reliability/plant.py."""

from reliability.planted.core import CORE
from reliability.planted.fault import Fault
from reliability.planted.privacy import PRIVACY
from reliability.planted.training import TRAINING
from reliability.planted.web import WEB

FAULTS: tuple[Fault, ...] = (*CORE, *TRAINING, *PRIVACY, *WEB)
