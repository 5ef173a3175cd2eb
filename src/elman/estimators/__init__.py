"""Models with scikit-learn's habits, on arrays, lists and data frames instead of files.

>>> model = SequenceClassifier(epochs=5).fit(["a fine film", "dull"], ["pos", "neg"])
>>> model.predict(["fine", "a dull film"]).shape
(2,)

scikit-learn is not needed; where it is installed, they work in its pipelines and searches.
"""

from elman.estimators.classifier import SequenceClassifier
from elman.estimators.forecaster import Forecaster
from elman.estimators.regressor import SequenceRegressor
from elman.estimators.spectrum import Spectrum

__all__ = ["Forecaster", "SequenceClassifier", "SequenceRegressor", "Spectrum"]
