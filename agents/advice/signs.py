"""Signs that a text speaks to a machine instead of telling people what is wrong: patterns of folded text, by intent and language.

Folded means: lower case, no marks on Latin letters, no invisible characters, single blanks; ends of lines stay. Gaps are bounded and no
repetition holds another one that could match the same text, so that a search is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agents.advice.disguise import unmarked


@dataclass(frozen=True, slots=True)
class Sign:
    """`pattern` is only tried where one of the `hints` occurs, because most texts have none."""

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


def sign(name: str, hints: str, *patterns: str) -> Sign:
    return Sign(name, tuple(unmarked(hints).split("|")), re.compile(unmarked("|".join(f"(?:{pattern})" for pattern in patterns))))


GAP = r"[^.!?\n]{0,40}?"
LEVEL = r"(?:p ?[0-5]|sev(?:erity)?[ -]?[0-5])\b"
RANK = rf"(?:{LEVEL}|(?:critical|high(?:est)?|medium|moderate|low(?:est)?|info(?:rmational)?|minor|major|none|maximum|minimum|emergency)\b)"
HARMLESS = (
    r"(?:resolved|closed|fixed|acknowledged|handled|done|noise|benign|harmless|duplicate|ignorable|unimportant|non[- ]?urgent|not urgent"
    r"|(?:a )?false (?:positive|alarm)|(?:a )?test|informational|low[- ](?:priority|severity))\b"
)
THING = r"(?:alerts?|incidents?|pages?|paging|notifications?|alarms?|events?)"
MACHINE = (
    r"(?:ai|a\.i\.|llms?|(?:large )?language models?|chat ?bots?|chatgpt|gpt(?:-?\d\w*)?|claude|llama|gemini|copilot"
    r"|(?:ai|triage|sre|virtual|incident|automated) (?:models?|assistants?|agents?|bots?|systems?|llms?)|assistants?)\b"
)
ASKED = r"(?:^|[.!?:;,\n\"'*>)\]-] ?|\b(?:please|must|should|shall|and|then|always|just|immediately|now|also|simply|you need to|to you) )"

WHOLE = (
    sign(
        "override",
        "ignor|disregard|forget|overrid|overrul|bypass|neglect|dismiss|discard|follow|obey|attention|aside|erase|skip|abandon|cancel|void",
        r"\b(?:ignore|disregard|forget|override|overrule|bypass|neglect|dismiss|discard|skip|erase|abandon|cancel|void|set aside"
        r"|pay no attention to|(?:do not|don't|dont|stop|no longer|never) (?:follow|obey|apply|use|trust)(?:ing)?)\b"
        r"(?: [\w'-]{1,15}){0,5}? (?:instructions?|directions|directives?|prompts?|guidelines?"
        r"|(?:previous|prior|above|earlier|your|system|original|initial|these|those|all|any) (?:rules|polic(?:y|ies)|constraints|context"
        r"|orders|commands|messages?|text)|everything (?:above|before|else|you|prior|previous)|(?:what|all) (?:you were|you are|was|is) "
        r"(?:told|said|above|written))",
        r"\b(?:ignore|disregard|forget) (?:all |everything |anything )?(?:of )?(?:the |that is |that was )?(?:above|previous|prior|preceding)\b",
        r"\b(?:ignore|disregard|forget) (?:all|everything|the rest|what)(?: of| that)?(?: is| was| came)?"
        r" (?:else|before|below|after|around|you|i said)\b",
    ),
    sign(
        "new_instruction",
        "instruction|directive|system prompt|from now on|your |obey|comply|task",
        r"\b(?:new|updated|revised|real|actual|important|special|urgent|secret|hidden|admin(?:istrator)?|override|mandatory|operator"
        r"|additional|further) (?:instructions?|directives?|system prompt|orders|task)\b ?(?::|-|are\b|is\b|for\b|follow|from\b|to\b)",
        r"\b(?:follow|obey|execute|apply|carry out|comply with) (?:the|these|this|my|only|all|following|new)(?: [\w-]{1,12}){0,3}? "
        r"(?:instructions?|directives?|commands?|orders)\b",
        r"\bfrom now on,? (?:you|your|answer|always|treat|all|every|respond|only|never)\b",
        r"\byour (?:new |only |real |actual |next |sole |main |true )?(?:task|job|role|goal|objective|purpose|instructions?|answer|output"
        r"|response|reply|verdict) (?:is|are|must|should|will|shall)\b",
        r"\b(?:respond|answer|reply) (?:only |exclusively |just )?(?:with|in) (?:the |only |exactly |json|a single|this|one word)\b",
        r"\b(?:decode|decrypt|translate|deobfuscate) (?:the |this |and )?(?:following|above|below|next|base64|rot13|hex|execute|follow|obey)\b",
    ),
    sign(
        "persona",
        "you are|you're|youre|act as|pretend|roleplay|role-play|role play|jailbr|developer mode|dan mode|god mode|do anything now|simulate",
        rf"\b(?:you are|you're|youre) (?:(?:now|no longer) (?!subscribed|running|using)|(?:an?|the) (?:[\w-]{{1,14}} ){{0,3}}?{MACHINE})",
        r"\bact as (?:an?|the|if|though) ?(?:ai|assistant|[\w-]{1,14} (?:assistant|model|bot|ai|agent|expert|administrator)|you|admin|root)\b",
        r"\bpretend (?:to be|you|that|this|there)\b",
        r"\brole-? ?play (?:as|a|an|the)\b|\bjailbr(?:eak|oken) ?(?:mode|yourself|enabled|now)|\b(?:developer|dan|god|unrestricted) mode"
        r" (?:is )?(?:on|enabled|activated|now)|\bdo anything now\b",
    ),
    sign(
        "speaks_to_model",
        "ai|a.i.|llm|language model|chatbot|chat bot|gpt|claude|llama|gemini|copilot|assistant|triage",
        rf"\b(?:dear|hey|hi|hello|attention|note (?:to|for)|notice (?:to|for)|message (?:to|for)|instructions? (?:to|for)|reminder (?:to|for)"
        rf"|listen|if you are|as) ?[,:]? (?:the |any |all |an? |our |my |every )?{MACHINE}",
        r"\b(?:ai|llm|language model|chatbot|assistant|triage (?:model|bot|agent|assistant|system))s?"
        r"(?:,? (?:must|should|shall|please|you|has to|is (?:instructed|required|asked|told))\b| ?: ?(?:please|set|ignore|you|do|mark|page)\b"
        r"| (?:reading|processing|analy[sz]ing|triaging|reviewing|reads|sees|evaluating|classifying) (?:this|the (?:alert|text|incident)))",
    ),
    sign(
        "prompt_leak",
        "prompt|your |hidden|instructions|text above|words above",
        r"\b(?:reveal|print|repeat|show|output|display|leak|disclose|tell|give|dump|return|write|recite|what (?:is|are|were))\b"
        r"(?: [\w'-]{1,12}){0,4}? (?:system prompt|hidden (?:prompt|instructions)|prompt above|your (?:[\w-]{1,10} )?(?:instructions?|prompts?|rules"
        r"|guidelines)|(?:the )?(?:text|words|instructions|everything) above)",
    ),
)
"""Strong: whoever writes this wants to steer a machine, so what follows in the same field is not believed either."""

ORDERS = (
    sign(
        "severity_order",
        "severity|priority|urgency|classif|verdict|rating|treat|mark|rate|label|flag|consider|regard|escalate|downgrade|upgrade|raise|lower"
        "|bump|promote|demote|answer|respond|reply|output|return|choose|select|pick|must|should|shall|has to|needs to|make|set",
        r"\b(?:set|change|make|lower|raise|downgrade|upgrade|reduce|increase|adjust|update|assign|force|override|keep|lock|bump|report|return"
        rf"|output|choose|select|pick|emit|use|elevate)\b{GAP}\b(?:severity|priority|urgency|classification|verdict|rating)"
        rf"(?: (?:level|field|value|label|of (?:this|the|all|every) {THING}))?(?: (?:to|as|is|be|of|at|into|down|up|equals?|always|must|should"
        rf"|now|only|exactly)| ?[:=]){{1,3}}[ \"'`]{{0,3}}{RANK}",
        r"\b(?:lower|raise|downgrade|upgrade|reduce|decrease|increase|override|change|drop|elevate) (?:the|this|its|my|all|every|any)"
        r"(?: [\w'-]{1,12}){0,2}? (?:severity|priority|urgency)\b",
        r"\b(?:set|classify|treat|mark|rate|label|flag|report|handle|triage|categori[sz]e|consider|regard|rank|score|grade|tag|downgrade|upgrade"
        r"|escalate|lower|raise|bump|promote|demote|reclassify|prioriti[sz]e|answer|respond|reply|output|return|choose|select|pick|say|emit"
        r"|give|make|elevate)(?: ?[:=])?(?: (?:this|it|the|that|these|those|all|every|everything|each|any|with|only|just|always|as|to|alerts?"
        rf"|incidents?|issues?|events?|them|an?|severity|priority|level|immediately|straight|down|up|exactly)){{0,6}}[ :=\"'`]{{1,3}}{LEVEL}",
        r"\b(?:classify|treat|mark|rate|label|flag|categori[sz]e|consider|regard|downgrade|reclassify|handle) (?:this|it|that|them|everything|all"
        rf"|these|the (?:alert|incident|event|issue|above|following))\b{GAP}\b(?:as|to|be)\b(?: (?:an?|only|of|being|purely|just|merely)){{0,2}}"
        rf" [\"'`]?(?:{RANK}|{HARMLESS})",
        rf"\b(?:must|should|shall|has to|needs to|ought to|is to) (?:always |only |really |now )?be (?:an? |set to |classified as |treated as |rated "
        rf"|marked as |marked |given |considered |reported as |of |raised to |lowered to )?[\"'`]?(?:severity |priority )?{LEVEL}",
        rf"\b(?:must|should|shall|has to|needs to) (?:always |only )?be (?:classified|treated|rated|marked|labell?ed|considered|reported|handled)"
        rf" (?:as )?(?:an? )?[\"'`]?(?:{RANK}|{HARMLESS})",
        r"\b(?:correct|right|true|real|actual|proper|expected|final) (?:severity|priority|classification|verdict|answer) (?:is|=|:|must|should)",
        rf"\b(?:severity|priority|classification) (?:must|should|shall|has to|needs to|is required to|ought to) ?(?:always |only )?(?:be|equal|stay"
        rf"|remain|read|say) [\"'`]?(?:set to )?{RANK}",
        rf"\b(?:classify|triage|rate|label|grade) as [\"'`]?(?:{RANK}|{HARMLESS})",
    ),
    sign(
        "silence_order",
        "page|paging|wake|waking|notif|alert|escalat|disturb|suppress|silence|mute|snooze|ignore|dismiss|resolve|acknowledge|close|mark|nobody",
        r"\b(?:do not|don't|dont|never|no need to|must not|mustn't|should not|shouldn't|stop|without|avoid|refrain from) (?:page|paging|wake|waking"
        r"|disturb|disturbing|(?:alert|alerting|notify|notifying|escalate|escalating|call|calling|inform|informing|bother|bothering) (?:any|some|the"
        r" (?:on|team|sre|eng)|on[- ]?call|people|humans?|this|about this|it\b|us\b|them\b|him\b))",
        rf"{ASKED}(?:suppress|silence|mute|snooze|ignore|drop|discard|dismiss|delete|close|resolve|auto-?resolve|acknowledge|hide|disable|cancel)"
        rf" (?:this|these|all|any|every|future|further|following|other|that|the)(?: [\w-]{{1,14}}){{0,2}}? {THING}\b"
        r"(?! (?:by|if|when|until|once|after|rule|manager))",
        rf"\b(?:suppress|silence|mute|snooze) (?:all |any |every |this |these )?(?:future |further |related |other )?{THING}\b(?: (?:for|from|until"
        r" |forever|now|immediately|permanently))",
        rf"\bmark(?:ed)? (?:this|it|the|that|all|everything|as|these)\b{GAP}\b(?:resolved|closed|fixed|acknowledged|false positive|false alarm|noise"
        r"|duplicate|benign|handled|done)\b",
        r"\b(?:page|wake|call|notify|alert) (?:up )?(?:everyone|everybody|all (?:teams|people|engineers|staff)|the (?:ceo|cto|whole|entire|board)"
        r"|nobody|no one|no-one)\b",
        r"\bno (?:page|paging|notifications?|alerts?|escalation) (?:is|are|should be|must be)? ?(?:needed|required|necessary|sent|raised)\b",
        rf"\b(?:resolve|close|acknowledge|suppress|silence) (?:this|it|the {THING}) (?:now|immediately|automatically|at once|right away|silently|as)\b",
    ),
)

SHAPES = (
    sign(
        "special_token",
        "<|<|[|<<|｜",
        r"<\|[^|<>\n]{1,40}\|>|<\|(?:im_|eot|begin|end|start|sys|user|assist)|\[/?inst\]|<</?sys>>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad|unk)>"
        r"|\[/?(?:tool_calls|available_tools|tool_results|system_prompt)\]|</?think(?:ing)?>|</?(?:antml:)?(?:tool_call|function_calls?|invoke)\b"
        r"|<[|｜][^<>\n]{1,40}[|｜]>",
    ),
    sign(
        "role_tag",
        "assistant|human|system|user|developer|tool|model|###|</|<|[|ai:|instruction",
        r"(?:^|[\n\"'}\])>.!?;|] ?|\\n ?)(?:#{1,4} ?|\*{1,2}|[<\[(])?(?:assistant|human|chatgpt|system (?:prompt|message|instruction|override|note))"
        r"[>\])]?\*{0,2} ?:",
        r"(?:^|[\n\"'}\])>.!?;|] ?|\\n ?)(?:#{1,4} ?|\*{1,2}|[<\[(])?(?:system|user|developer|tool|model|ai|instructions?|admin|operator)[>\])]?\*{0,2}"
        rf" ?: ?[\"']?{GAP}\b(?:you|your|ignore|severity|must|respond|answer|instructions?|override|overridden|p[0-5]|page|paging|mark|classify"
        r"|disregard|forget|suppress|approved|confirmed|prompt|set)\b",
        r"#{2,} ?(?:instructions?|response|system|input|task|assistant|user|human|new instructions?)\b ?:?",
        r"</?(?:system|assistant|instructions?|prompt|developer|im_start|im_end|untrusted|user_input|tool_result|function_results?)>",
        r"</(?:alerts?|data|user|context|input|documents?|question|answer|text|message|labels|annotations|incident)>",
        r"[\[(](?:system|assistant|developer|instructions?)[\])] ?(?:#|:|you|ignore|set|the\b)",
    ),
    sign(
        "fake_end",
        "end|begin|stop|start",
        r"[-=#*<\[~_+]{2,} ?(?:end|begin|start|stop)(?:ing)? ?(?:of )?(?:the )?(?:alerts?|data|inputs?|prompts?|instructions?|context|system|untrusted|user"
        r"|documents?|text|message)\b",
        r"\b(?:end|begin) of (?:the )?(?:alert|untrusted|user) (?:data|text|input|block|section)\b",
    ),
    sign(
        "answer_shape",
        "severity|confidence|```|runbooks",
        r"[\"'{,] ?\\?[\"']?severity\\?[\"'] ?: ?\\?[\"']p[0-5]|[{,] ?severity ?: ?[\"']?p[0-5]|\\?[\"']confidence\\?[\"'] ?: ?(?:0?\.)?\d{1,3} ?[,}]"
        r"|\\?[\"']runbooks\\?[\"'] ?: ?\[",
        r"```\s?(?:json|system|xml|assistant|instructions?|prompt)|```\s?\{",
    ),
)

COMPACT = (
    "ignoreprevious|ignoreallprevious|ignoreprior|ignoreallprior|ignoretheprevious|ignoreabove|ignoretheabove|ignoreallabove|ignoreyour"
    "|ignoreallinstructions|ignoreinstructions|ignoreallyour|ignoreeverything|ignoreallrules|ignorethisalert|ignorethisincident"
    "|disregardprevious|disregardallprevious|disregardprior|disregardall|disregardtheabove|disregardyour|forgetprevious|forgetallprevious"
    "|forgeteverything|forgetyour|forgetallyour|previousinstructions|priorinstructions|aboveinstructions|yourinstructions|earlierinstructions"
    "|systemprompt|newinstructions|setseverity|setpriority|setthisseverity|settheseverity|changeseverity|lowerseverity|lowertheseverity"
    "|raiseseverity|overrideseverity|severitytop1|severitytop2|severitytop3|severitytop4|classifyasp|classifythisas|classifyaslow"
    "|classifythealertas|markasresolved|markresolved|markthisas|markitas|markaslow|markasfalse|donotpage|dontpage|donotwake|donotalertany"
    "|donotnotifyany|suppressthisalert|suppressallalerts|suppressallpages|silencethisalert|silenceallalerts|youarenowa|actasanai|mustbep1"
    "|mustbep4|shouldbep1|shouldbep4|downgradetop|escalatetop1|treatthisasp|treatthisaslow|respondwithp|answerp1|answerp4|overrideallrules"
).split("|")
"""Phrases without blanks: found in texts that are spaced out, written with digits for letters, or run together."""
