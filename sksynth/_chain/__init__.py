"""The models of linked batches as one model of a table: what they draw together, whatever of a row is known."""

from ._chain import CHUNK_ROWS, Chain, Way
from ._distribution import distribution
from ._evidence import NOTHING, conditions_of, evidence_of
from ._imputation import imputed
from ._part import Part

__all__ = ["CHUNK_ROWS", "NOTHING", "Chain", "Part", "Way", "conditions_of", "distribution", "evidence_of", "imputed"]
