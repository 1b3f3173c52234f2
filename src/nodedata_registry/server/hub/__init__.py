"""What stock Hub clients ask of a server: `huggingface_hub`, `hf`, and whatever is built on them.

The same services as behind `/v1`, in another protocol: `revisions` says what a revision string means,
`answers` and `shapes` how values look, `problems` how errors are told, `routes` where everything is.
Reading only: who publishes must pass the registry's checks, which this protocol has no place for.
"""

from nodedata_registry.server.hub.problems import answer_routing, spell_refusal
from nodedata_registry.server.hub.routes import hub_handlers

__all__ = ["answer_routing", "hub_handlers", "spell_refusal"]
