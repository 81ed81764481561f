"""The bars for one sample that `whet eval --calibrate` found."""

from __future__ import annotations

from adaptation.voting.calibration import Calibration
from server.by_model import ByModel

FILE = "calibration.json"
CALIBRATIONS = ByModel(FILE, Calibration, "whet eval --calibrate")
