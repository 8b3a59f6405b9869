"""The edit bench: this picture with one attribute changed, asked of every model.

What is asked (requests.py), what is the same value (equality.py), what is counted of
the edited pictures as oracles read them (scores.py) and against the true picture
(counterfactual.py), and rows whose numbers are known in advance (references.py). Here
are arrays alone; models, oracles and files are in study/.
"""

from disentangle.editing.references import REFERENCES, Known, Question
from disentangle.editing.requests import Asking, Requests, requests
from disentangle.editing.scores import SCORES, Bench, Judged, leakage, rows

__all__ = [
    "REFERENCES",
    "SCORES",
    "Asking",
    "Bench",
    "Judged",
    "Known",
    "Question",
    "Requests",
    "leakage",
    "requests",
    "rows",
]
