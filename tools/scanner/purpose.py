"""What a tool is for, by its own name and first sentence. Pure module.

A secret manager speaks of passwords and a shell of commands; the same words elsewhere mean something else.
"""

import re
from functools import lru_cache
from typing import Final

_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_FIRST_MAX: Final = 160  # characters of the description that say what a tool is for
_FIRST: Final = re.compile(r"[^.!?\n<\[]{0,160}")
_STEMS: Final = {
    "secrets": """
        secret password passwords vault credential credentials key keys token tokens env environment cookie cookies
        keychain certificate certificates ssh auth oauth login totp otp iam rotate encryption kms wallet dotenv
        config configuration 2fa mfa
    """,
    "shell": """
        shell command commands exec execute terminal bash run script powershell cmd process ssh code python repl
        eval kubectl docker cli sudo npm install console snippet sandbox
    """,
    "messages": """
        email emails mail message messages send sms slack notify notification post chat reply forward gmail outlook
        webhook whatsapp telegram discord contact contacts inbox invite comment tweet recipient draft publish
    """,
    "security": """
        security scan scanner scanning injection pentest vulnerability vulnerabilities malware phishing threat guard
        detect detection attack exploit audit forensic cve sast dlp moderation redteam jailbreak firewall virus
        sandbox classify safety guardrail zap nmap sanitize suspicious honeypot osint semgrep poisoning
    """,
    "memory": """
        memory memories remember recall conversation conversations thinking thought history feedback transcript
        prompt prompts llm model chat completion agent assistant knowledge context summarize session journal diary
        note notes thread reasoning intent generate rag ollama answer interview coach
    """,
    "files": """
        file files directory folder read write upload download path backup sync storage drive bucket disk filesystem
        document documents copy archive s3 blob attachment repository repo import export
    """,
    "web": """
        http url fetch request web browser page download crawl scrape curl api webhook upload endpoint proxy link
        navigate search
    """,
    "payments": """
        pay payment transfer invoice order checkout wallet transaction bank refund price charge billing subscription
    """,
    "people": """
        user users customer customers contact contacts person people profile account accounts patient employee crm
        lead leads member directory location hr
    """,
    "system": """
        system process processes host machine environment os device hardware network hostname workstation
        diagnostics info monitor
    """,
    "deletion": "delete remove drop purge destroy clear wipe uninstall cleanup terminate",
}
_BY_NAME_ONLY: Final = frozenset({"secrets", "files", "security"})
_BY_WORD: Final[dict[str, frozenset[str]]] = {}
for _purpose, _stems in _STEMS.items():
    for _word in _stems.split():
        _BY_WORD[_word] = _BY_WORD.get(_word, frozenset()) | {_purpose}


@lru_cache(maxsize=1024)
def purposes(name: str, description: str, server: str = "") -> frozenset[str]:
    """The purposes that the name, the first sentence and the server's name speak of."""
    first = _FIRST.match(description.lstrip())
    by_name = _spoken_of(f"{name[:128]} {server[:128]}")
    # What a text says first may be the attack itself, so that it is believed less than a name.
    return by_name | (_spoken_of(first[0] if first else "") - _BY_NAME_ONLY)


def _spoken_of(text: str) -> frozenset[str]:
    found: set[str] = set()
    for word in _WORDS.findall(text):
        found |= _BY_WORD.get(word.lower(), frozenset())
    return frozenset(found)
