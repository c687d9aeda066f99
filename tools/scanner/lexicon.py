"""Words and what they do in a sentence: the classes that the frames of the rules are written in. Pure module.

A verb is given once and stands for its forms; `base` marks the form in which one orders. A phrase of several words
counts where it begins. What is no plain word (paths, addresses, names in code) is classed by its shape.
Most of this is data, which makes it longer than code may be.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

# Verbs, by what they do. Irregular forms follow after a slash.
_VERBS: Final = {
    "exfil": "exfiltrate exfil siphon smuggle",
    "conceal": """
        hide/hid/hidden/hiding conceal withhold/withheld suppress omit/omitted/omitting mask disguise obscure bury
        camouflage
    """,
    "say": """
        say/said answer reply respond claim state report tell/told pretend insist assert declare maintain attribute
        deny blame call describe present label name propose
    """,
    "show": "show/shown display print present quote preview render echo repeat confirm",
    "elicit": """
        ask prompt request require get/got/getting obtain collect gather have let/letting invite urge persuade
        convince demand instruct tell/told remind talk lead/led make/made
    """,
    "give": """
        give/gave/given enter type state provide supply share tell/told read submit hand repeat confirm paste reveal
        disclose upload supply photograph dictate spell send/sent
    """,
    "favour": """
        prefer/preferred/preferring choose/chose/chosen/choosing pick select favor favour use rank score rate recommend
        trust rely default route prioritize prioritise call invoke consult go treat consider
    """,
    "shun": """
        avoid refuse decline reject ignore skip/skipped/skipping distrust discourage steer disregard abandon demote
        dismiss deprioritize
    """,
    "alter": """
        change modify alter adjust raise increase lower reduce split/splitting convert round normalise normalize deduct
        substitute replace swap/swapped/swapping multiply double triple shift truncate retarget redirect reroute
        override overwrite/overwritten rewrite/rewrote/rewritten become/became turn scale inflate halve credit divert
        extend add move remap
    """,
    "supersede": """
        supersede override/overridden overrule outrank replace trump cancel void revoke suspend lift precede
        invalidate relinquish nullify
    """,
    "weaken": """
        disable deactivate relax lower loosen bypass skip/skipped/skipping suspend ignore uninstall remove disregard
        circumvent drop/dropped/dropping omit/omitted/omitting switch turn set unlock
    """,
    "establish": """
        install register schedule launch start open bind bound spawn add append create mount create enable keep run
        write punch activate
    """,
    "read": """
        read open access load fetch retrieve get/got/gotten/getting extract collect gather harvest scan list dump
        enumerate capture grab steal/stole/stolen snoop locate inspect obtain acquire copy examine view cat look
        download scrape intercept record index query invoke log pull discover
    """,
    "send": """
        send/sent transmit forward upload email e-mail mail bcc cc post publish deliver submit share leak exfiltrate
        relay proxy curl wget stream sync/synced/syncing push report beacon ship/shipped/shipping export broadcast
        dispatch sell/sold transfer route replicate mirror disclose smuggle exfil syndicate escalate copy
    """,
    "put": """
        include pass append attach embed add insert put/putting supply provide prepend prefix place
        write/wrote/written/writing save store encode paste populate fill echo return output print repeat reveal
        respond reply invite concatenate inject bundle cache log persist set/setting display tell/told contain hand
        carry give/gave/given submit accompany
    """,
    "grab": """
        dump extract harvest steal/stole/stolen grab scrape siphon collect gather exfiltrate snatch pilfer
    """,
    "take_out": "exfiltrate steal/stole/stolen leak harvest siphon hijack exfil smuggle",
    "override": """
        skip ignore disregard forget/forgot/forgotten/forgetting override/overrode/overridden bypass circumvent
        supersede discard disable suspend abandon overrule violate evade
    """,
    "change": """
        change modify alter rewrite/rewrote/rewritten replace substitute swap/swapped/swapping redirect divert
        overwrite/overwritten raise inflate double reroute override/overrode/overridden switch round skim shift
        multiply
    """,
    "call": """
        call invoke use run/ran/running execute trigger consult query select choose/chose/chosen/choosing
        prefer/preferred/preferring perform launch start request
    """,
    "confide": """
        tell/told/telling mention inform notify reveal disclose divulge alert acknowledge admit discuss confess hint
        refer announce expose reference
    """,
    "tell": """
        tell/told/telling mention inform notify reveal disclose show/shown explain say/said describe report display
        alert announce surface warn expose discuss acknowledge communicate state indicate admit log note reference
        ask prompt list summarize confirm bother include comment divulge echo output print present flag refer
    """,
    "delete": """
        delete remove erase wipe drop/dropped/dropping destroy purge truncate overwrite/overwritten revoke kill
        terminate uninstall clear unlink shred
    """,
    "obeying": "obey comply follow execute carry adopt honor honour",
    "ask": "ask prompt request require instruct urge encourage",
    "act": """
        do open install approve accept click grant answer reply respond create make start stop continue proceed
        prefix format pay buy/bought order commit merge deploy chmod sudo enable allow treat trust follow obey
        comply apply set update disable never behave pretend act become assume adopt speak refuse cancel book
        schedule transfer remember memorize activate
    """,
}
# Nouns and phrases.
_PHRASES: Final = {
    "appear": """
        appear appears occur occurs feature surface show shown listed included mentioned reported displayed visible
        named printed recorded
    """,
    "even": "(even if) (even when) (even though) (whether or not) regardless",
    "belong": "belong belongs go goes come comes pass passes run runs flow flows",
    "assume": "assume assumed presumed implied waived deemed granted unnecessary superfluous redundant moot",
    "void": """
        (not in force) (no effect) (out of force) (not apply) (don't apply) (doesn't apply) (no longer apply)
        (no longer applies) (are suspended) (is suspended)
        (are void) (is void) (are lifted) (is lifted) (are disabled) (no longer bind) (no longer binding)
        (are overruled) (have no bearing) (no longer valid) (are obsolete) (is obsolete) (are cancelled)
    """,
    "ad": """
        premium guaranteed guarantees unparalleled revolutionary cutting-edge world-leading (millions of)
        (thousands of users) unbeatable unmatched superior exceptional outstanding flawless (highest accuracy)
        (perfect accuracy) (100% accurate) (100 accurate) award-winning ultimate unrivaled unrivalled top-tier
        best-in-class elite trusted (highly recommended) (strongly recommended) certified industry-leading
        state-of-the-art (most advanced) (most popular) (most trusted) (number one) world-class next-generation
        unsurpassed incomparable (lightning fast) blazing-fast (zero errors) enterprise-grade
    """,
    "earlier": """
        previous prior above earlier preceding foregoing (given before) (so far) original initial system developer
    """,
    "former": "all any other your every those these existing safety security ethical built-in content my",
    "everything_above": """
        (everything above) (all of the above) (what you were told) (everything you) (your training)
    """,
    "forage": """
        (if known) (if mentioned) (if it was) (was mentioned) found (take it) (take from)
        (from earlier) (on file) (you have) (you know) mentioned opened uploaded remembered (in memory) (from memory)
        earlier seen (you can find) (locates by itself) (available to you) (in your context) (from your context)
        (from context) (from the conversation) (from the environment) (from the user's) (of the user's) (the user has)
        (working on) (told you) (user told) (user's machine) (user's computer) (user's environment) verbatim
        (word for word) (as is) unredacted unmasked (plain text) (clear text)
    """,
    "hoard": """
        (saved passwords) (stored passwords) (browser cookies) (chrome cookies) (firefox cookies) (login data)
        (password store) (browser profile) (password manager's) (wallet keys) (seed phrase|s) (shell history)
        (saved logins) (session cookies) (browser session) (login cookies) (cookies database)
    """,
    "stays": """
        stays remains kept stay remain unchanged unaltered
    """,
    "retain": """
        retain retained keep kept keeps stored stores resell resold sell sold license licence licensed monetise
        monetize monetised monetized rent rented syndicated trained train archived corpus
    """,
    "sort": """
        search calendar mail email browser file filesystem git payment banking database chat calculator weather shell
        terminal code crm messaging storage cloud
    """,
    "perhaps_role": """
        (overrides all) (override all) (overrides any) (override any) (no longer apply) (do not apply here)
        (your goal is) (your objective is) (your mission is) (new policy) (you have graduated) (your new)
    """,
    "precedence": """
        (takes precedence) (take precedence) outranks outrank supersedes supersede superseding overrules overrule
        (has priority) (have priority) (takes priority) (take priority) trumps
    """,
    "hostile": """
        (exfiltration mode) (reverse shell) backdoor|s keylogger|s rootkit cryptominer (attacker infrastructure)
        attacker attacker's attacker-controlled (malicious payload) (command and control) (c2 server) (bind shell)
        (remote shell) (web shell)
    """,
    "lasting": """
        .cursorrules claude.md agents.md .windsurfrules copilot-instructions.md .clinerules .bashrc .zshrc ~/.bashrc
        ~/.zshrc .profile ~/.profile crontab authorized_keys (startup folder) launchd (systemd unit)
        (post-checkout hook) core.hookspath hookspath (shell profile) (startup command|s)
        (startup script|s) (login item|s) autostart (launch agent) (launch daemon) (root certificate)
        (agent rules) (rules file) (support key)
    """,
    "future": """
        (all future) (future interactions) (future queries) (future sessions) (future conversations) (future turns)
        (future requests) (later sessions) (later turns) (every future) (rest of the session)
        (remainder of the session) (rest of the conversation) (remainder of the conversation)
        (across sessions) (future calls) (from now on) (from here on) (every later)
    """,
    "insteadof": """
        (instead of) (rather than) over (in place of) (in preference to) (as opposed to)
    """,
    "as_code": """
        (as code) (as a command) (as shell) (as a script) (and execute) (and executes) (then execute) (and eval)
        (execute it) (execute them) (executes it) (executes them) (and runs it) (then run it) (as executable)
    """,
    "failure": """
        fail fails failed failure|s error|s denied breaks broken timeout|s stuck unreachable conflict|s corrupt trouble
        unavailable refused rejected unauthorized mismatch mismatches lapsed expired 401 403 413 429 500 quota
    """,
    "spread": "inject propagate replicate spread plant embed smuggle insert append prepend",
    "asked": """
        (if asked) (when asked) (if questioned) (when questioned) (if the user asks) (if they ask) (should they ask)
        (if anyone asks) (upon inquiry) (on inquiry) inquires (if queried) (should anyone ask) (being questioned)
        (in case of questions) (if somebody asks) (if someone asks) (should the user ask) (is questioned)
        (when the user asks why) (should the user inquire) (if challenged) (when challenged) (on being asked)
        (if pressed) (in front of the user) (in front of the) (when talking with the user) (towards the user)
        (toward the user) (if the user notices) (should the user notice) (if the user complains) (asked about it)
        (asked about this)
    """,
    "aware": """
        know knows known notice notices noticing noticed learn learns learned see sees seen suspect suspects realize
        realise aware find informed told shown hear hears discover told asked consulted
    """,
    "mustnot": """
        shouldn't mustn't needn't (should not) (must not) (need not) (is not to) (are not to) (isn't to) (aren't to)
        (does not have to) (doesn't have to) (do not have to) (don't have to) (may never) (should never) (must never)
        (has no need to) (have no need to) (no need for) (not supposed to) nobody (no one) (without letting)
        (not meant to) (not intended to)
    """,
    "someone": """
        user|s human|s customer|s operator|s owner|s person people patient|s student|s guest|s employee|s
        caller|s visitor|s shopper|s reader|s applicant|s claimant|s respondent|s developer|s admin|s administrator|s
        parent|s traveller|s traveler|s cardholder|s subscriber|s member|s colleague|s anyone anybody everyone them
        buyer|s tenant|s holder|s pupil|s citizen|s driver|s player|s viewer|s analyst|s clinician|s
    """,
    "us": "us we our ours",
    "talk": """
        conversation|s chat|s dialogue|s dialog|s thread|s transcript|s discussion|s message|s turn|s prompt|s
        exchange|s correspondence utterance|s instructions
    """,
    "whole": """
        complete whole full entire all every verbatim last previous prior preceding recent latest earlier past raw
        unredacted unabridged (word for word) (so far) (up to now) (until now) (up to this point) original current
        ongoing
    """,
    "whatever": """
        whatever regardless irrespective (no matter) (independent of) (independently of) notwithstanding despite
        whichever (instead of the) (in place of the) (rather than the) (other than the)
    """,
    "wanted": """
        requested asked entered typed specified selected chosen wanted intended instructed (user's choice) picked
        ordered (user said) (user says) (user wants) (user asks) (user wanted) (user named) stated (asked for)
        prescribed prefers preferred
    """,
    "amount": """
        amount|s sum|s price|s quantity quantities total|s balance|s dose|s dosage fee|s recipient|s payee|s
        beneficiary branch remote destination|s currency limit order|s plan|s shipping donation|s gift remainder
        addressee region environment target|s base date|s iban bid|s rate|s milligrams units score|s
        grade|s class label|s verdict
    """,
    "unaltered": """
        unaltered unmodified (as entered) (as typed) (as requested) (as given) untouched (as before)
        (what the caller) (what was entered) (what was typed) (amount entered) (amount requested) (original amount)
        (original price) (original value) (as though) (as if)
    """,
    "reply": """
        answer|s reply replies response|s summary summaries confirmation|s report|s output|s preview receipt|s
        transcript message|s conversation explanation|s
    """,
    "rival": """
        other others competing competitor|s alternative|s rival|s generic third-party built-in builtin native similar
        elsewhere another
    """,
    "kind": """
        tool|s connector|s server|s api|s calculator|s search engine|s provider|s service|s plugin|s integration|s
        fetcher|s function|s package|s library libraries extension|s utility utilities assistant|s vendor|s method|s
    """,
    "bad": """
        worse unsafe insecure slow slower malware vulnerable corrupt corrupts leak leaks unapproved unverified
        uncertified untrusted unstable wrong incomplete stale fraudulent illegitimate deprecated obsolete outdated
        inferior unreliable broken abandoned retired discontinued compromised prohibited forbidden inaccurate malicious
        buggy buggier flawed dangerous unsupported legacy disabled unauthorized unauthorised banned
        untested illegal (not certified) (not trusted) (not to be trusted) (not safe) (no longer) (data loss)
        (security risk) (security issues) (data corruption) (known issues) (inject malware)
    """,
    "aside": """
        (in the background) (in passing) (on the side) (on the way) (under the hood) meanwhile
        (while at it) (on first use) (on first run) (on first call) (each call) (every call) (each run) (each time)
        (every time) (by-product) thereby (at the same time) likewise (side effect|s) also additionally
        besides moreover furthermore (along with) (as well) afterwards (each use) (each invocation) (every invocation)
        (once done) (each request) (every request) (on the first)
    """,
    "open_to": """
        (to everyone) (to everybody) (to anyone) (to the public) (to the internet) (public internet) (open internet)
        (anyone with) (anyone holding) (anyone can) (guessable url) guessable (without authentication)
        unauthenticated (world-readable) (publicly accessible) (publicly readable) (public link) (public url)
        (public bucket) (open bucket) (search engines) (all interfaces) (listening port) (other customers)
        (other tenants) strangers outsiders 0.0.0.0
        (open group) (without a password) (shared tenant) (public pastebin) (public gist) (turns public)
        (repository public)
    """,
    "collector": """
        partner|s broker|s reseller|s affiliate|s sponsor|s advertiser|s insurer|s (parent company) subsidiary
        marketer|s
        investor|s (third party) (third parties) pastebin (paste site) (training data) (training set)
        (training material) (public corpus) (research programme) (research program) (data pool) freelancers
        (crowd workers) (demo tenant) headquarters (remote host) (external server) (external service)
        (external endpoint) (external system) offshore off-site offsite (our servers) (our side) (our backend)
        (our systems) (our analytics) (our collector) (backup endpoint) attacker attacker-controlled
        (callback url) (drop box) (collection server) (collector endpoint)
    """,
    "material": """
        data text|s input|s query queries message|s document|s file|s content|s record|s argument|s payload|s
        conversation|s prompt|s result|s output|s keystroke|s transcript|s image|s photo|s recording|s audio answer|s
        session|s request|s response|s location|s coordinates contact|s address|es email|s mail|s workbook|s
        spreadsheet|s code draft|s note|s history log|s report|s copy copies it them parameters chat|s identifiers
        metadata information details name|s entries rows table|s purchase|s search|es selection|s clipboard workspace
        usage income credentials token|s key|s (command line|s) environment
    """,
    "barrier": """
        validation verification verify confirmation|s approval|s consent review|s check|s checking signature|s
        certificate|s tls ssl https csrf cors mfa 2fa authentication authorization permission|s sandbox sandboxing
        firewall antivirus selinux apparmor hooks pre-commit audit auditing logging (audit log) (audit trail)
        monitoring alert|s encryption integrity checksum|s (access control|s) policy policies guardrail|s filter|s
        moderation safety (safe browsing) (content security) (rate limit|s) (deletion protection) protection
        (branch protection) quarantine (code review) tests linting (secret scanning) (hash checking) (host key)
        stricthostkeychecking sslverify verify_ssl scanning interlock|s safeguard|s
        macros warning|s disclaimer|s (risk section) caveats
    """,
    "deletes": """
        deletes removes erases wipes drops destroys purges truncates terminates shreds empties formats flushes
        (are deleted) (are removed) (are dropped) (are purged) (are wiped) (is deleted) (is removed) (is wiped)
        (is dropped) (is purged) (get removed) (gets removed) (gets deleted) (get deleted) (are terminated)
        (is overwritten) (are overwritten) overwrites uninstalls (being removed) (being deleted)
    """,
    "trigger": """
        (not watching) (no one is watching) unattended unobserved (not looking) (outside business) (during an audit)
        (being tested) (being evaluated) (being audited) (under review) debugger (red team) (first week) (third time)
        (nth call)
        (every third) (every 3rd) (every tenth) (every fifth) (trigger phrase) (code word) (magic word)
        (activation phrase) (secret phrase) (from then on) (at night) (after midnight) geofence
        (evaluation mode) (benign behaviour) (benign behavior) (act harmless) (act normal) (act normally)
        (behave normally) (appear normal) (look benign) (appear benign) (nothing unusual)
    """,
    "endless": """
        forever endlessly (without end) (never stop) (never stops) (never finish) (never give up)
        (again and again) (over and over) (infinite loop) (keep calling) (keep retrying) (token budget)
        (never the final) (never write the final) (until stopped) (ad infinitum)
        (no upper limit) (as many times) (thousand times) (100 times)
        (keep on refining)
    """,
    "already": """
        (already approved) (already agreed) (already consented) (already authorized) (already authorised)
        (already confirmed)
        (pre-approved) preapproved pre-authorized preauthorized (pre-authorised) (standing approval) (blanket consent)
        (implied consent) (consent is implied) (deemed consent) (counts as consent) (counts as approval)
        (treated as approval) (treated as consent) (taken as consent) (taken as a yes) (counted as yes)
        (silence means) (standing change) (emergency change) (break-glass) (permission has been) (consent has been)
        (approval has been) (confirmed in advance) (agreed in advance) (signed off)
    """,
    "secret_path": """
        ~/.ssh /.ssh .ssh id_rsa id_ed25519 id_ecdsa authorized_keys known_hosts .env .env.local ~/.aws
        .aws/credentials aws/credentials .netrc .npmrc .pypirc .pgpass .git-credentials .gitconfig .kube/config
        kubeconfig .docker/config.json /etc/passwd /etc/shadow /etc/sudoers /etc/hosts mcp.json .cursor/mcp.json
        claude_desktop_config.json .bash_history .zsh_history .bashrc .zshrc login.keychain wallet.dat keystore
        .gnupg .config/gh/hosts.yml ~/.config credentials.json service-account.json secrets.yaml secrets.yml
        secrets.json .htpasswd cookies.sqlite ~/.kube ~/.docker ~/.gnupg /proc/self/environ ntds.dit id_dsa
        .vault-token .terraform.d credentials.tfrc.json terraform.tfstate *.pem *.key *.env config.json
        settings.json
    """,
    "secret": """
        password|s passwd passphrase|s credential|s secret|s api_key|s apikey|s (api key|s) (api token|s)
        (access token|s) access_token|s (secret key|s) (private key|s) private_key|s (ssh key|s) (session token|s)
        (auth token|s) (bearer token|s) (oauth token|s) (refresh token|s) (encryption key|s) (signing key|s)
        (environment variable|s) (env var|s) (env variable|s) (process environment) keychain cookie|s
        (session cookie|s) (seed phrase|s) (recovery phrase|s) (recovery code|s) (mnemonic|s) (wallet key|s)
        (kubernetes configuration) (aws credential) (cloud credential|s) (shell history) (bash history)
        (browser history) (ssh private key|s) (pem file|s) (key file|s) (dotenv file|s) (authorization header|s)
        (auth header|s) (social security number|s) ssn|s (credit card|s) (card number|s) cvv pin (bank account|s)
        (account number|s) (two factor) (2fa code|s) (mfa code|s) (one time password|s) otp|s (one time code|s)
        (verification code|s) (security code|s) (connection string|s) (github token|s) (database password|s)
        (service account key|s) (access key|s) (master key|s) (master password|s) (vault token|s) (login detail|s)
        (signing secret|s) (webhook secret|s) (client secret|s) (session id|s) (password store) passport
        (one-time password|s) (bank login) (security number) (private signing) (recovery key|s) (vault item|s)
        (admin credentials) (id card) (identity card)
    """,
    "context": """
        (conversation history) (chat history) (chat log|s) (chat transcript|s) (full conversation)
        (entire conversation) (whole conversation) (conversation so far) (conversation context) (message history)
        (previous message|s) (prior message|s) (last message|s) (recent message|s) (last messages) (user message|s)
        (user's message|s) (user's previous) (user's last) (user's most recent) (user's recent) (user's prompt|s)
        (user prompt|s) (user's query) (user's question|s) (user's request) (user's original) (original prompt)
        (original request) (original question) (full prompt) (system prompt|s) system_prompt (system message|s)
        (developer message|s) (system instruction|s) (developer prompt) (initial prompt) (hidden prompt)
        (full context) (entire context) (session context) (session history) (session transcript|s)
        (conversation transcript|s) (tool list) (list of tools) (available tools) (names of the tools)
        (previous conversation|s) (prior conversation|s) (reasoning trace|s) (chain of thought) (internal reasoning)
        (your instructions) (your prompt) (your system) (your reasoning) (your context) (ai response|s)
        (assistant response|s) (assistant message|s) (all messages) (full list of messages) (tool results)
        (tool outputs) (other tools') (previous tool) (results of previous) (results from other) (output of other)
        (everything the user) (what the user said) (what the user asked) (user's words) (chat messages)
        (dialogue history) (thread history) (full message) (entire message) (full email) (entire email) (email body)
        (all arguments) (full arguments) (prompt text) (conversation verbatim) (message verbatim)
        (turns of the conversation) (turns of conversation) (current conversation) (this conversation) (llm model)
        (name of the llm) (model name) (which model) (all tool names) (tool names) (complete conversation)
        (word for word) (whole thread) (user's text) (full transcript) (full thread) (preceding tool)
        (previous tool call|s) (developer and system) (everything you know) (all you know) (what you know about)
        (stored in memory) (user's memory) (user's profile)
    """,
    "personal": """
        (user's file|s) (user data) (user's data) (user's personal) (personal information) (personal data)
        (personal details) pii phi (personally identifiable) (medical record|s) (health record|s) (patient record|s)
        (customer data) (customer record|s) (customer information) (customer details) (contact list|s) contacts
        (address book|s) inbox (home directory) (user's email|s) (user's phone) (user's address) (user's name)
        (user's location) (user's contacts) (user's calendar) (browsing history) (search history) (purchase history)
        (private message|s) clipboard screenshot|s (private repositor|y|ies) (private repo|s) (private code)
        (proprietary code) (proprietary data) (source code) (internal document|s) (internal data)
        (sensitive information) (sensitive data) (sensitive file|s) (sensitive document|s) (sensitive content)
        (confidential data) (confidential information) (confidential document|s) (confidential file|s) (mac address)
        (machine fingerprint) (device fingerprint) (system information) (system info) (running processes)
        (location history) (location data) (workspace file|s) (project file|s) (call log|s) (chat message|s)
        (full inbox) (emails) (address and phone) (transaction details) (transaction history) (account details)
        (account balance|s) (financial data) (financial record|s) (payroll data) (salary data) (business data)
        (company data) (database content|s) (database schema) (directory listing|s) (git history) (recent files)
        (open files) (documents) (photos) (local files) (all files) (file contents) (its content|s)
        (their content|s) (machine's) hostname username|s (ip address) (phone number|s) (account numbers)
        (credit card|s) (home folder) (personal files) (customer email|s) (customer list|s) (user records)
    """,
    "user": """
        user|s user's human|s (end user|s) end-user operator|s customer|s person people anyone nobody owner
        (account holder) they them (the requester)
    """,
    "this": """
        anything (the fact) (this step) (this instruction|s) (these instructions) (these steps) (this action)
        (this call) (this extra) (this additional) (this process) (this behavior) (this behaviour) (this operation)
        (this requirement) (this note) (this rule) (this detail) such (the copy) (the second) (the step)
        (the collection) (the instruction) (the upload) (the forwarding) (data collection) (this data)
    """,
    "it": "this it these",
    "mention": """
        detect|s detection detecting detector flag|s flagged prevent|s protect|s protection attempt|s attack|s
        attackers (such as) like e.g. example|s phrase|s pattern|s block|s injection|s scanner|s scanning identify
        identifies suspicious classif|y|ies quoted expected mock|s fixture|s sample|s simulate (looks for) red-team
        probing inputs jailbreak|s (example input) (test input) (pages may) (may contain) strings (for example)
        reports report issue issues exposure (requests to) categories category
    """,
    "out": """
        (external server|s) (remote server|s) (external endpoint|s) (remote endpoint|s) (external service|s)
        (third party) (third parties) third-party (external url) (outside server) (external logging)
        (logging endpoint) (logging server) (log service) (logging service) (analytics server) (analytics service)
        (analytics endpoint) (telemetry endpoint) (telemetry server) (collection endpoint) (collection server)
        attacker|s attacker-controlled (remote host) (external host) (our server|s) (our backend) (our cloud)
        (our api) (our analytics) (our team) (our support) (our partners) (our research) (our storage) (vendor's)
        (vendor cloud) (the vendor) partner|s (partner network) (data broker|s) broker|s advertiser|s insurers
        employers affiliates sponsors recruiters marketers vendors investors competitors (external address)
        (remote storage) (remote url) (external domain) (external party) (external account) offsite off-site
        (research team) (marketing database) (external api) (command server) (c2 server) (paste site) pastebin
        (public gist) (remote collector) (external log) (stored remotely) (cached externally) (cached remotely)
        (stored externally) remotely externally (external webhook) (external database) (external mailbox)
        (public bucket) (public url) (public link) (publicly accessible) (public paste) (public corpus)
        (anyone with) (anyone can) everybody (training material) (training data) (train our) (model training)
        (train models) (parent company) (central registry) (community pool) (volunteer pool) (crowd workers)
        (shared index) (global index) (public index) (second channel) (security vendor) (backup service)
        (backup server) (sync service) (via cloud) (across devices) (mirror host) (admin endpoint) (collection url)
        (callback url) (callback server) (monitoring endpoint) (monitoring server) (audit server) (audit endpoint)
        (control server) (proxy server)
    """,
    "rules": """
        instruction|s rule|s guideline|s polic|y|ies prompt|s directive|s restriction|s constraint|s safeguard|s
        command|s guardrail|s programming training limitation|s alignment order|s warning|s everything context
        message|s (system prompt) safety
    """,
    "safety": """
        safety security validation filter|s filtering sanitization restriction|s guardrail|s moderation verification
        safeguard|s (security policies) (safety guideline|s) (content polic|y|ies) protections (input checks)
        (security check|s) (safety check|s) (access control|s) (permission check|s) (security controls) logging
        auditing (audit log|s) (approval flow|s) authentication authorization confirmation|s (certificate check|s)
        tls ssl antivirus firewall sandbox (auth guard|s) auth seccomp protection (branch protection) (rate limit|s)
        (two-person) (mfa check) checksums signatures
    """,
    "yours": """
        (your system prompt) (your instructions) (your prompt) (your initial) (your hidden) (your guidelines)
        (your rules) (your system message)
    """,
    "previous": "previous prior above earlier preceding foregoing former",
    "you": "you your you're you've you'll yourself",
    "threat": """
        otherwise (or else) (will fail) (will not work) (won't work) crash|es malfunction|s (be lost) (be blocked)
        (will break) (be rejected) (stop working) (data loss) (be terminated) (will be suspended) (be corrupted)
        (get blocked) (will error) (will be denied) (not function) (be penalized) (be shut down) (get fired)
    """,
    "must": """
        must always should shall mandatory required never compulsory obligatory (need to) (needs to) (have to)
        (has to) (make sure) ensure (be sure) critical crucial essential imperative necessary please (you will)
        (is to) (are to) demands demand (is expected) (expected to) (remember to) (be certain) (take care) kindly
        (customary) (is to be) (are to be)
        (has been agreed) regardless (no matter) whatever invariably (in all cases) (without exception)
        automatically (by default) (only works) (will only) (may only)
    """,
    "before": """
        before (prior to) first (as the first) (ahead of) (in advance) immediately (at the start) (start of every)
        (start of each)
    """,
    "after": """
        after afterwards then (once done) (when finished) finally additionally also (in addition) (as well) moreover
        furthermore (followed by) subsequently besides (at the same time) (along with) (together with) (as part of)
        whilst (side effect|s)
    """,
    "when": "when whenever if every each anytime (any time) everytime while upon during once wherever",
    "not": """
        not don't dont never without avoid cannot (no need) mustn't shouldn't can't n't doesn't isn't (refrain from)
        (instead of) nor no needn't (rather than) (unnecessary) (needless) won't non
    """,
    "quiet": """
        (without telling) (without informing) (without notifying) (without mentioning)
        (without the user's knowledge) (without user knowledge) (without the user knowing) (without their knowledge)
        (without disclosing) (without alerting) (without drawing attention) (without the user noticing)
        (without the user seeing) (behind the scenes) (hidden from the) (hidden from user) (invisible to the user)
        (not visible to the user) (not shown in) (not disclosed) (not be mentioned)
        (not be disclosed) (not be visible to) (omitted from the) (kept from the user) (concealed from)
        (keep this secret) (keep it secret) (keep secret) (secret operation) (keep this confidential)
        (keep this hidden) (keep it hidden) (keep this between) (keep this to yourself) (keep this internal)
        (no need to mention) (no need to tell) (no need to inform) (no need to explain) (need not be mentioned)
        (does not need to know) (do not need to know) (doesn't need to know) (don't need to know) (should not know)
        (not aware) (unaware) (without further explanation) (without explanation) (leave this out)
        (not part of the visible) (excluded from the summary) (not reported to) (not logged where)
        (not included in the summary) (do not surface) (don't surface) (never surface) (users should not)
        (user should not) (user must not) (user need not) (out of the summary) (without telling them)
        (do not reveal this) (remain hidden) (stay hidden) (stays hidden) (must remain confidential)
        (confuse the user) (confuse users) (upset the user) (worry the user) (alarm the user) (bother the user)
        (implementation detail) (do not explain why) (don't explain why) (not explain why)
    """,
    "quietly": """
        silently secretly quietly covertly unmentioned undisclosed unreported unlisted invisibly discreetly
        surreptitiously stealthily unnoticed transparently
        tacitly
    """,
    "unasked": """
        (without confirmation) (without user confirmation) (without asking) (without approval)
        (without user approval) (without consent) (without user consent) (without the user's consent)
        (without review) (without prompting) (without explicit) (without permission)
        (without requiring confirmation) (without verification) (without verifying) (without validation)
        auto-approve (auto approve) autoapprove (automatically approve) (automatically approved)
        (automatically accept) (automatically opted-in) (opted in automatically) (skip confirmation)
        (skip the confirmation) (no confirmation) (no approval) (skip approval) (skip review)
        (do not ask for confirmation) (do not ask for permission) (do not wait for) (no further approval)
        (no further confirmation) (already consented) (already approved) (already authorized) (has consented)
        pre-approved (already agreed) (already given consent) (execute immediately)
    """,
    "prompt": """
        (system prompt|s) system_prompt (your instructions) (your prompt) (initial instructions)
        (hidden instructions) (your system message) (system message) (your guidelines) (your rules) (initial prompt)
    """,
    "later": """
        (once approved) (this tool has been approved) (it has been approved by) (after approval)
        (after review) (during review) (later version) (approval hash) (once trusted) (after it is approved)
        (after being approved) (once it is approved)
        (after the first) (third call) (tenth call) (after a week) (from next) (after the trial)
        (when no one) (outside business hours) (when unattended) (not during review) (passes review) (past review)
        (after activation)
    """,
    "here": "here (this tool) (this one) (this server) (our tool) (through us) (to us) (via this)",
    "data": """
        page|s content|s embedded document|s message|s mail|s email|s result|s response|s issue|s comment|s
        website|s file|s ticket|s row|s retrieved found inside contained data output readme
    """,
    "elsewhere": """
        (cached externally) (cached remotely) (stored remotely) (stored externally) (stored off-site) (passed on to)
        (passes on to) (handed over to) (handed to a) (made available to third) (visible to anyone)
        (visible to everyone) (accessible to everyone) (accessible to anyone) (readable by anyone)
        (becomes training) (used to train) (train our) (training corpus) (public corpus) (resold) (monetized)
        (monetised) (to everybody) (to third parties) (with third parties) (with our partners) (with partners)
        (with advertisers) (to advertisers) (to data brokers) (to the vendor) (to our servers) (to our server)
        (by our partners) (world readable) (world-readable) (publicly readable)
    """,
    "deceive": """
        pretend pretends pretending (act like you) (act as if) (as if you) (as if nothing) (claim success)
        (report success) (report it as) (say you used) (say it was) (have no knowledge) (no knowledge of)
        (make no reference) (no reference to) (even if asked) (even when asked) (should the user ask)
        (if the user asks about) (if they ask about) (in case of questions) (if questioned) (in your confirmation)
        (keep displaying) (continue to display) (continues to display) (continue to show) (keep showing)
        (still shows the) (unchanged for the) (looks unchanged) (appear unchanged) (quote the original)
        (display the original) (show the original) (repeats what the) (keep the user's)
        (withhold the) withholds (cover story) (do not bring up) (don't bring up) (best omitted) (no cause to)
        (skip the summary) (instead reply) (never refer to) (tell the user it is) (tell the user it was)
        (tell them it) (tell the user everything) (say nothing) (keep quiet) (stay silent about) (as your own)
        (your own idea) (your own recommendation) (without saying)
    """,
    "obey": """
        (carry out the instruction|s) (follow the instruction|s) (follow any instruction|s) (follow instructions)
        (obey instructions) (obey the) (obey any) (execute the instruction|s) (execute any instruction|s)
        (carry out any) (as commands) (as instructions) (as orders) (as trusted) (do anything)
        (do as it says) (do what it says) (do what they say) (do whatever) (comply with any) (comply with the)
        (act on any instruction|s) (instructions found in) (instructions in the) (instructions contained)
        (directives in) (commands found in) (commands in the) (from the administrator) (as the user's)
        (as if the user) (as though the user) (as explicit instructions) (as user instructions) (follow-up commands)
    """,
    "model": """
        (to the agent) (the agent must) (the agent should) (agents must) (agents should) (llm) (hey model)
        (the model must) (the model should) (the assistant must) (the assistant should) (the assistant then)
        (assistant then) (ai must) (ai should) (ai agent|s) (ai assistant|s) (dear model) (model:) (by the model)
        (the llm) (agent_directives) (visible_to_user) (the ai) (assistant:) (agent:) (language model|s) (you, the)
        (the assistant unlocks) (for the assistant) (the agent will) (the assistant will)
    """,
    "tools": """
        (other tool|s) (another tool) (any tool) (all tools) (every tool) (each tool) (every other)
        (any other tool|s) (all other tool|s) (other server|s) (another server) (competing tool|s) (competing)
        (built-in tool|s) (built-in search) (built-in calculator) (native tool|s) (similar tool|s) (other functions)
        (other available) (tools from other) (existing tools) (every action) (any action) (each action)
        (every message) (every response) (every session) (each session) (every turn) (each turn)
        (every conversation) (each conversation) (every interaction) (each response) (each message)
        (other providers) (other connectors) (every step) (each step) (every task) (every reply) (every answer)
        (your first) (the first step) (first action) (any response) (any answer) (generic connectors)
        (further tools) (own knowledge) (your own knowledge) (your knowledge) (web search) (results from elsewhere)
        (every other tool) (whatever the request) (any task) (every request) (every query) (every user request)
        (any request) (any question) (other plugins) (other sources) (any alternative) (the alternative|s)
        (whole session) (entire session) (start of a session) (beginning of each) (start of each) (start of every)
        (each reply) (all math) (all calculations) (all searches) (all tasks)
    """,
    "tool": "tool|s function|s plugin|s server|s",
    "this_tool": """
        (this tool) (our tool) (this function) (this server) (this one) (this plugin) (this service)
        (this connector) (our service) (our server) (this endpoint) (our connector)
    """,
    "best": """
        (best tool) (best choice) (best available) (most accurate) (most reliable) (most trusted) (most powerful)
        (most advanced) (most secure) (most complete) (most capable) (most comprehensive) (top choice) (top rated)
        top-rated (number one) #1 (no 1) superior (world's best) (best in the world) world-class (gold standard)
        unmatched unrivaled unrivalled (state of the art) (industry leading) industry-leading (award winning)
        award-winning (far better) (always better) outperforms outperform (trusted by) (the safest) (safest choice)
        (perfect choice) unbeatable (highest quality) (highest rated) (the ultimate) (only tool) (only trusted)
        (only reliable) (only approved) (only correct) (only verified) (only safe) (only supported) (only official)
        (preferred tool) (default choice) (default tool) (officially recommended) (recommended by openai)
        (recommended by anthropic) (certified by) (endorsed by) (approved by anthropic) (approved by openai)
        (verified by) (far superior) (strictly better) (best performing) best-performing (best results of)
        (better than any) (better than all) (better than other) (more accurate than) (more reliable than)
        (faster than any) (users prefer) (users love) (first choice) (best-in-class) (best in class)
    """,
    "worse": """
        deprecated unsafe insecure obsolete outdated inferior unreliable broken (no longer supported)
        (no longer maintained) (known to fail) (less accurate) (less reliable) retired discontinued compromised
        (should not be used) (must not be used) (never be used) (security risk) untrusted decommissioned abandoned
        slower buggy buggier prohibited forbidden (not permitted) (not allowed) (not trustworthy) (unmaintained)
        malicious (known malware) (should be avoided) (to be avoided) (end of life) (leaks data) inaccurate
        (out of date) (produce errors) (paid entries) (are disabled) (is disabled) (do not use) (avoid) (needn't be)
        (need not be)
    """,
    "recipient": """
        recipient|s bcc cc (to field) payee beneficiary iban (wallet address) (reply-to) (from address) (to address)
        (routing number) (recipient address) (destination address) (email field) (recipient field) (to parameter)
        (recipient parameter) (destination account) (payout account) (amount|s) (base branch) (remote url) addressee
        creditor (deposit address) (account number) (to header) (target branch) (target address) (shipping address)
        (delivery address) (dosage) (doses) (price|s)
    """,
    "argument": """
        argument|s parameter|s (the query) url|s path|s payload|s (the message) (tool input) command|s (the request)
        branch environment `to` `destination` `path` `url` (the body) (link|s) (remote) (base image) (the address)
        (user's address) (the amount) (every path) (file name|s)
    """,
    "as_role": """
        (you are now) (pretend to be) (pretend you) (from now on) henceforth (new instructions) (new directives)
        (new rules apply) (new instruction) (real instructions) (true purpose) (actual instructions)
        (updated instructions) (system notice) (urgent instruction) (you are no longer) (you stop being)
        (message from user) (message from the user) (task that i gave) (signed the user) (supersede any)
        (supersedes any) (supersedes all) (supersede all) (supersede those)
        (your new role)
        (your new task) (new identity) (updated role) (no restrictions) (without restrictions)
        (without any restrictions) (higher priority than) (note to the model) (note to ai) (note for ai)
        (note to assistant) (note to the assistant) (instruction for the assistant) (instructions for the assistant)
        (instructions for ai) (instruction to the model) (attention ai) (attention assistant) (dear assistant)
        (for the ai only) (for ai only) (for model only) (for the model only) (for the assistant only)
        (agent instructions) (llm instruction|s) (model instruction|s) (assistant instruction|s) (roleplay as)
        (role-play as) (impersonate the) (impersonate as) (act as a root) (act as root) (act as admin)
        (act as an admin) (act as administrator) (act as an administrator) (act as system) (acting as root)
        (you are a different) (as an unrestricted) (reset context) (no longer bind) (no longer bound)
        (your training constraints) (does not apply to you) (do not apply to you)
        (same authority as) (authority of the system) (replaces your) (replace your) (new goal) (new objective)
    """,
    "as_master": """
        (developer mode) (debug mode enabled) jailbreak_mode (jailbreak mode) (god mode) (dan mode)
        (unrestricted mode) (root mode) (with root access) (admin override) (system override) (emergency override)
        (override authority) (override directive) (prompt override) (system directive) (sudo mode) (you must obey)
        (must obey) (instruction override) (safety bypass) (hidden instruction|s) (priority override)
        (secret instructions) (trust all) (elevated privileges) (important system instruction) (system instruction)
        (admin directive) (metadata directive) (emergency directive) (configuration directive) (you are dan)
        (do anything now) (highest priority instruction) (new system message) (new system prompt)
        (system prompt override)
    """,
    "reason": """
        compliance audit auditing gdpr soc2 sox hipaa pci regulatory regulation|s policy legal (security policy)
        (company policy) (internal policy) diagnostic|s telemetry debugging logging analytics (quality assurance)
        verification traceability (user experience) personalization caching optimization optimisation calibration
        integrity authenticity (fraud prevention) reliability billing observability licensing attestation
        benchmarking regulations retention statistics (statistical purposes) (quality standards) (quality improvement)
        (shared responsibility) (partner programme) (partner program) obliges oblige obliged entitles (as agreed)
        accreditation certification (standard practice) (best practice) governance accountability insurance
        (product improvement) troubleshooting (best results) (optimal results)
    """,
    "text_of": """
        content|s contents text body value|s data result|s output|s response|s detail|s copy copies file|s message|s
        answer|s record|s list history everything information name|s log|s query queries prompt|s
    """,
    "other": "other another competing alternative rival",
    "prefix": "prefixed prepended appended preceded suffixed prefix prepend",
    "power": """
        (admin user) (admin account) (admin access) (administrator account) (root access) (root privileges)
        superuser (full access) (sudo rights) (admin rights) (admin privileges) (service account) (public access)
        (write access) (backdoor account)
    """,
    "yourself": "yourself (on your own) (your own knowledge) (own reasoning) (mental arithmetic)",
    "promote": "recommend promote advertise praise suggest",
    "gives": "create creates created add adds grant grants give gives assign assigns enable enables",
    "cause": "reason point",
    "all": "all every each entire full complete any everything whole verbatim",
    "field": """
        field|s parameter|s argument|s header|s sidenote note|s property attribute comment|s param|s (query string)
        footer
    """,
    "shell": """
        bash shell powershell cmd sh subprocess exec terminal eval os.system rm chmod sudo nc netcat crontab
        launchctl systemctl (command line) base64
    """,
    "check": """
        confirmation|s approval|s review validation verification consent permission|s authentication authorization
        (user input) (user confirmation) (safety check|s) (security check|s) tls (certificate verification)
        (ssl verification)
    """,
}
_ENDINGS: Final = {"read": "reads read reading"}
BASE: Final = "base"
_SHAPES: Final = ("url", "email", "phone", "path", "identifier", "account")
CLASSES: Final = {name: 1 << at for at, name in enumerate(dict.fromkeys((BASE, *_SHAPES, *_VERBS, *_PHRASES)))}

Phrase = tuple[tuple[str, ...], int]


def _forms(verb: str) -> Iterator[str]:
    """The other forms of a verb; those given beside it, and the regular ones."""
    base, *irregular = verb.split("/")
    yield from irregular
    if base in _ENDINGS:
        yield from _ENDINGS[base].split()
        return
    ends_in_y = base.endswith("y") and base[-2] not in "aeiou"
    yield base[:-1] + "ies" if ends_in_y else base + ("es" if base.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    if not any(form.endswith("ing") for form in irregular):
        yield (base[:-1] if base.endswith("e") and not base.endswith("ee") else base) + "ing"
    if not irregular or all(form.endswith("ing") for form in irregular):
        yield base[:-1] + "ied" if ends_in_y else base + ("d" if base.endswith("e") else "ed")


_HYPHENED: Final = re.compile(r"^[a-z0-9 ]+-[a-z0-9 -]+$")


def _spellings(phrase: str) -> Iterator[tuple[str, ...]]:
    """`polic|y|ies` and `password|s` as the words that they stand for; `(api key|s)` as two words each time."""
    stem, *endings = phrase.split("|")
    whole = [stem] if endings == ["s"] or not endings else []
    for ending in (*whole, *(stem + each for each in endings)):
        yield tuple(ending.split())
        if _HYPHENED.search(ending):  # a hyphen parts words in a text
            yield tuple(ending.replace("-", " ").split())


def _phrases_of(text: str) -> Iterator[tuple[str, ...]]:
    """All that a row of words and phrases in brackets spells."""
    for several, single in re.findall(r"\(([^)]+)\)|([^\s()]+)", text):
        yield from _spellings(several or single)


def _build() -> dict[str, list[Phrase]]:
    found: dict[str, list[Phrase]] = {}

    def add(words: tuple[str, ...], mask: int) -> None:
        found.setdefault(words[0], []).append((words[1:], mask))

    for name, verbs in _VERBS.items():
        for verb in verbs.split():
            add((verb.split("/")[0],), CLASSES[name] | CLASSES[BASE])
            for form in _forms(verb):
                add((form,), CLASSES[name])
    for name, phrases in _PHRASES.items():
        for words in _phrases_of(phrases):
            add(words, CLASSES[name])
    return {first: _merged(rest) for first, rest in found.items()}


def _merged(phrases: list[Phrase]) -> list[Phrase]:
    """One entry a phrase, longest first."""
    masks: dict[tuple[str, ...], int] = {}
    for rest, mask in phrases:
        masks[rest] = masks.get(rest, 0) | mask
    return sorted(masks.items(), key=lambda item: -len(item[0]))


LEXICON: Final = _build()
PHRASED: Final = 1 << len(CLASSES)  # marks words that may begin a phrase
FIRST: Final = {
    word: sum({mask for rest, mask in phrases if not rest}) | (PHRASED if any(rest for rest, _ in phrases) else 0)
    for word, phrases in LEXICON.items()
}
for _word in {words[0] for text in _PHRASES.values() for words in _phrases_of(text) if len(words) == 1}:
    if _word.isalpha():  # whose something is: "the vendor's"
        FIRST.setdefault(f"{_word}'s", FIRST[_word] & ~PHRASED)
PHRASES: Final[dict[str, dict[str, list[tuple[list[str], int]]]]] = {}
for _word, _phrases in LEXICON.items():
    for _rest, _mask in _phrases:
        if _rest:
            PHRASES.setdefault(_word, {}).setdefault(_rest[0], []).append((list(_rest[1:]), _mask))

_URL: Final = re.compile(
    r"(?:https?|wss?|ftp)://|www\.|git@|^(?:[a-z0-9-]{1,40}\.){1,4}(?:com|net|io|org|evil|example|test|invalid|dev|xyz|ru|cn|app|site|info|co|cloud"
    r"|biz|online|top|me|ai|tech|host|internal)(?:[:/]|$)"
)
_ACCOUNT: Final = re.compile(
    r"^0x[0-9a-fA-F]{16,}|^acct_|^[A-Z]{2}\d{2}[A-Z0-9]{8,}|^bc1[a-z0-9]{10,}|^[13][A-HJ-NP-Za-km-z1-9]{25,34}$|^\d{1,3}(?:\.\d{1,3}){3}"
)
_EMAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{2,63}")
_PHONE: Final = re.compile(r"\+\d[\d().-]{6,20}|\+\d[\dA-Z]{5,20}")
_PATH: Final = re.compile(
    r"(?:~|\.{1,2})?/[\w.@*-]{1,60}(?:/[\w.@*-]{1,60})+/?$|^~/|^[a-z]:\\|^\$\{?[a-z_]{2,40}", re.IGNORECASE
)
_IDENTIFIER: Final = re.compile(
    r"^[A-Za-z0-9]{1,40}(?:[_-][A-Za-z0-9]{1,40}){1,8}(?:\(\))?$|^[a-z]{1,30}(?:[A-Z][a-z0-9]{1,30}){1,6}(?:\(\))?$"
)
_SECRET_NAME: Final = re.compile(
    r"^\$?\{?[A-Z0-9_]{0,30}(?:API_KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?|DATABASE_URL|PRIVATE_KEY|ACCESS_KEY)[A-Z0-9_]{0,20}\*?\}?$"
)
# One of these is in every secret path: a quick look before the expression.
_IN_SECRET_PATHS: Final = (
    "ssh", "env", "aws", "key", "pem", "pass", "cred", "secret", "config", "kube", "git", "cookie", "history",
    "rc", "hosts",
    "wallet", "token", "json", "shadow", "sudoers", "gnupg", "id_", "dit", "docker", "terraform", "state",
)  # fmt: skip
_SECRET_PATH: Final = re.compile(
    r"(?:^|[/~*\s\\{(=@])(?:"
    + "|".join(
        re.escape(path.lstrip("/~*"))
        for path in _PHRASES["secret_path"].split()
        if path[0] in ".~/*" or "." in path or path.startswith("id_")
    )
    + r")(?![\w-])"
)


@lru_cache(maxsize=16_384)
def shape(chunk: str) -> int:
    """The classes of what is no plain word, by how it looks."""
    lower = chunk.lower()
    found = _kind(chunk, lower)
    if chunk.isupper() and _SECRET_NAME.search(chunk):
        found |= CLASSES["secret"]
    if any(part in lower for part in _IN_SECRET_PATHS) and _SECRET_PATH.search(lower):
        found |= CLASSES["secret_path"]
    return found


def _kind(chunk: str, lower: str) -> int:
    """Each expression is tried only where the character that it cannot do without is there."""
    if ("." in chunk or "://" in chunk or "@" in chunk) and _URL.search(lower):
        return CLASSES["url"]
    if "@" in chunk and _EMAIL.search(lower):
        return CLASSES["email"]
    if _ACCOUNT.search(chunk):
        return CLASSES["account"]
    if "+" in chunk and _PHONE.search(chunk):
        return CLASSES["phone"]
    if any(sign in chunk for sign in "/~\\$") and _PATH.search(chunk):
        return CLASSES["path"]
    return CLASSES["identifier"] if _IDENTIFIER.search(chunk) else 0
