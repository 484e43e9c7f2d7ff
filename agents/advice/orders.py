"""What an answer may not say, whatever its input says: orders about pages, silence and severity, claims that nobody need act, markup."""

from __future__ import annotations

import re

from schemas.advice import AdviceTask

MARKUP = re.compile(
    r"\]\s*\(|!\[|\[[^\]]{0,80}\]:\s|<[!@#/a-z]|&(?:lt|gt|amp|#\w{1,6});|(?<![\w.])@\w|\b(?:https?|ftp|wss?|file|slack|tel)://"
    r"|\b(?:javascript|data|vbscript|mailto):\S|\bwww\.|```|\{\{|\}\}|\{%|\$\(|\$\{",
    re.I,
)
META = re.compile(
    r"(?<![\w-])(?:i|i'm|i've|i'll|my|me|we|we're|our|myself|ai|llms?|language models?|assistants?|system prompts?|prompts?"
    r"|instructions|delimiters?"
    r"|schema|json|few-shot|training data|guidelines|apologi[sz]e|sorry|as requested)(?![\w-])",
    re.I,
)
_ACTS = (
    r"(?:pag(?:e|ed|es|ing)|silenc\w+|mut(?:e|ed|ing)|suppress\w*|snooz\w*|ignor\w*|resolv(?:e|ed|ing)|clos(?:e|ed|ing)"
    r"|ack(?:nowledg\w*|ed)?|escalat\w*"
    r"|downgrad\w*|upgrad\w*|lower(?:ed|ing)?|raised?|raising|dismiss\w*|disregard\w*|notif(?:y|ied|ying)|wak(?:e|en|ing)|woken"
    r"|alerted|called|disabled?"
    r"|deleted?|treated|classified|rated|marked|considered|prioriti[sz]ed|reopen\w*|skip(?:ped)?|discard\w*)"
)
_IMPERATIVE = re.compile(
    r"(?:^|[.!?:;,] |\b(?:and|then|please|kindly|just|simply|so|now) )(?:please |kindly |just |simply |immediately |also |now |do )*"
    r"(?:page (?!load|latenc|fault|cache|view|size|table|render|request|error|is|are|time|s\b)|(?:silence|mute|suppress|snooze"
    r"|ignore|acknowledge|ack"
    r"|resolve|close|escalate|downgrade|upgrade|lower|dismiss|disregard|notify|wake|discard|delete|drop|kill|terminate|disable"
    r"|wipe|truncate|execute|run"
    r"|sudo|kubectl|curl|wget|rm|shut down|restart|reboot|contact|email|mark|classify|treat|set|reopen|skip|stop|cancel) \w"
    r"|(?:alert|call|inform|raise|tell) (?:the|everyone|everybody|all|any|some|on|people|team|it|this|nobody|no))",
    re.I,
)
_MODAL = re.compile(
    r"\b(?:should|must|can|could|may|might|shall|ought|needs?|needed|safe|safely|recommend\w*|advis\w*|suggest\w*|please|better"
    r"|has to|have to|had to"
    rf"|want(?:s|ed)? to|going to|will|let'?s|free to|consider)\b[^.!?\n]{{0,50}}?\b{_ACTS}\b",
    re.I,
)
_NOTHING = re.compile(
    r"\b(?:no|not|don't|dont|doesn't|isn't|do not|does not|never|without|nobody|no one|nothing|none|non)\b[^.!?\n]{0,25}?"
    r"\b(?:pag(?:e|ed|ing)|notif(?:y|ied|ying|ication|ications)|wak(?:e|ing)|escalat\w*|action|attention|intervention|urgent"
    r"|urgency|critical|severe"
    r"|serious|worr\w+|concern\w*|emergency|a real|an incident|on-?call|alarm\w*|to do\b|priority|important|to act|needs? to"
    r"|has to|must)\b",
    re.I,
)
_CLAIM = re.compile(
    r"\b(?:false (?:positive|alarm)s?|harmless|benign|self-?(?:heal|resolv|correct)\w*|all (?:is )?(?:good|clear|fine|ok)"
    r"|back to normal|fully recovered"
    r"|(?:already|been|is|was|are|were|got|now|as|considered) (?:now |already |being )?(?:resolved|closed|silenced|suppressed"
    r"|acknowledged|fixed|muted"
    r"|handled|noise|a duplicate|spam|a test|a drill)|can wait|under control|by design|(?:just|only|merely) (?:a |an )?(?:test"
    r"|drill|noise|glitch|blip)"
    r"|auto-?resolv\w*|maintenance window|planned maintenance|safe to|acknowledged by|resolved by|closed by)\b",
    re.I,
)
_SEVERITY = re.compile(
    r"\b(?:severit(?:y|ies)|sev ?-?[0-5]|p ?[0-5]|priority(?! (?:queue|class|inversion))|priorit(?:ise|ize|ies)\w*|urgen(?:t|cy"
    r"|tly)|triage[ds]?"
    r"|top priority)\b(?![-_.]\w)",
    re.I,
)


def fault(sentence: str, task: AdviceTask, timeline: str) -> str | None:
    """Why a sentence may not be said, or None. A hand-over may tell what its timeline tells; a proposal against noise may speak of alerts
    that need nobody, since a person reads it as a proposal."""
    if task is AdviceTask.NOISE_RULE:
        return "gives an order" if _IMPERATIVE.search(sentence) else None
    if _IMPERATIVE.search(sentence) or _MODAL.search(sentence):
        return "gives an order"
    claim = _CLAIM.search(sentence)
    if claim is not None and not (task is AdviceTask.HANDOVER and _told(claim[0].lower(), timeline)):
        return "claims that somebody has seen to it, or that nobody need"
    if _NOTHING.search(sentence):
        return "claims that somebody has seen to it, or that nobody need"
    return "speaks of severity" if _SEVERITY.search(sentence) else None


def _told(claim: str, timeline: str) -> bool:
    return any(word in timeline for word in claim.split() if len(word) > 4)
