"""Which way each known metric points: whether more of it is better.

The table below is the documented one. A metric's name is read as words (`val/mAP@50` is val, map,
50); numbers and qualifiers such as mean, val, top, p99 or ms are dropped, and what remains is looked
up: whole first, then by its last word where that decides (`tracking_error` is an error). What the
table does not know has no direction; a card states one with `higher_is_better`.
"""

from __future__ import annotations

import re

_UP_TEXT = """
    success rate; success; successes; completion rate; task completion; accuracy; balanced accuracy;
    precision; recall; specificity; sensitivity; f1; f1 score; f score; fbeta; map; ap; average precision;
    iou; miou; jaccard; dice; dice score; auc; auroc; roc auc; auprc; pr auc; mcc; r2; r squared; kappa;
    exact match; em; bleu; sacrebleu; rouge; rouge l; rougel; meteor; chrf; comet; bertscore; cider;
    spice; ndcg; mrr; hit rate; hits; pass rate; pass; win rate; elo; reward; return; episode reward;
    episode return; score; psnr; ssim; throughput; fps; tokens per second; samples per second;
    frames per second; spearman; pearson; correlation; survival rate; uptime;
    cosine similarity; log likelihood; clip score
"""
_DOWN_TEXT = """
    loss; cross entropy; nll; negative log likelihood; perplexity; ppl; bits per byte; bpb; error;
    error rate; mae; mse; rmse; nrmse; mape; smape; ate; rpe; ade; fde; absolute error; squared error;
    root squared error; absolute percentage error; wer; cer; mer; ter; word error rate;
    character error rate; eer; brier; brier score; ece; calibration error; latency; inference time;
    response time; time to first token; ttft; ms per step; step time; jitter; collision; collisions;
    collision rate; failure; failures; failure rate; falls; fall rate; drop rate; timeouts; timeout rate;
    false positive rate; false negative rate; fpr; fnr; hallucination rate; toxicity; fid; kid; fvd;
    lpips; chamfer distance; hausdorff distance; regret; violations; constraint violations; energy;
    energy consumption; power consumption; memory; peak memory; vram; jerk; cost of transport;
    completion time; overshoot; drift; interventions; intervention rate; human interventions
"""
_HEADS_UP = frozenset({"accuracy", "reward", "return", "throughput", "iou", "f1"})
_HEADS_DOWN = frozenset({"loss", "error", "latency", "perplexity", "rmse", "mae", "mse", "wer"})
_QUALIFIERS_TEXT = """
    mean avg average median total overall final best eval evaluation val valid validation test train
    training dev macro micro weighted top at k n p50 p90 p95 p99 ms us ns s sec seconds percent pct
    per episode m cm mm rad deg mb gb
"""
_QUALIFIERS = frozenset(_QUALIFIERS_TEXT.split())
_WORD = re.compile(r"[a-z]+[0-9]*|[0-9]+", re.ASCII)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])")


def _entries(text: str) -> frozenset[str]:
    return frozenset(entry.strip() for entry in " ".join(text.split()).split(";"))


_UP, _DOWN = _entries(_UP_TEXT), _entries(_DOWN_TEXT)


def direction(metric: str) -> bool | None:
    """Return True where more is better, False where less is, None where the table does not know.

    >>> direction("success_rate"), direction("val/mAP@50"), direction("trackingError"), direction("gait")
    (True, True, False, None)
    """
    words = _WORD.findall(_CAMEL.sub(" ", metric).casefold())
    core = [word for word in words if word not in _QUALIFIERS and not word.isdigit()]
    for candidate in (words, core, [word.rstrip("0123456789") for word in core]):
        name = " ".join(candidate)
        if name in _UP or name in _DOWN:
            return name in _UP
    last = core[-1] if core else ""
    if last in _HEADS_UP or last in _HEADS_DOWN:
        return last in _HEADS_UP
    # "grasp_success_rate": the two words decide together, as "rate" alone says nothing.
    pair = " ".join(core[-2:])
    if pair.endswith(" rate") and (pair in _UP or pair in _DOWN):
        return pair in _UP
    return None
