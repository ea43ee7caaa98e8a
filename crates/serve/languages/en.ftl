# The pages in English: the language of readers who ask for none that there is. Every other file has the same messages and values.
#
# Ids begin with the page: frame, error, signin, worklist, viewer, reviews, me, people, operations, audit. `key-` is the list of keys.
# `script-` messages are used by the scripts, and have no forms by number. Between backticks stands a key or code.
# `reason-` messages are the known sentences of films, peers and the node, word for word: pages/reasons.rs finds them by these.

## Everywhere

comma = ,{ " " }
age-years = y
age-months = { $count } M
age-weeks = { $count } W
age-days = { $count } D
name-none = No name
sex-F = F
sex-M = M
sex-O = O
never = never
none = none
none-there = None.
# Forms of day and time (strftime).
form-day = %Y-%m-%d
form-time = %H:%M
form-moment = %Y-%m-%d %H:%M
form-exact = %Y-%m-%d %H:%M:%S

## The frame of every page

frame-skip = Skip to the content
frame-pages = Pages
frame-worklist = Worklist
frame-operations = Operations
frame-people = People
frame-audit = Audit
frame-research = Research use only
frame-no-device = · not a medical device
frame-keys = Keys
frame-sign-out = Sign out
frame-keys-close = Close
key-help = Show or close this list

## Errors

error-back = Back to the first page
error-not-found = Not here
error-not-found-what = There is no such film or page. It may have been removed by retention.
error-bad = Not understood
error-signed-out = Signed out
error-signed-out-what = Your session has ended, and nothing was stored. Sign in, go back, and send the form again.
error-unavailable = Not available now
error-fault = A fault
error-fault-what = The page could not be written. The log of this node has the reason.
error-database = The database does not answer. The log of this node has the reason.
error-audit = The audit log cannot be written, and nothing is done without it. The log of this node has the reason.
error-busy = Too many passwords are being checked at this moment. Try again in some seconds.
error-store = The film cannot be read from where it is kept. The log of this node has the reason.
error-not-allowed = Not allowed
error-not-allowed-what = Your roles do not allow this. An administrator gives roles; your account shows the ones that you have.

## Sign-in

signin-title = Sign in
signin-name = Name
signin-password = Password
signin-enter = Sign in
signin-lost = A lost password or device: an administrator gives a new one.
signin-factor = Second factor
signin-code = The six digits of your app, or a recovery code
signin-go-on = Go on
signin-choose = Choose your password
signin-choose-why = The password that you were given is only for this step. Choose your own: 10 characters or more. A few unrelated words are easy to remember.
signin-new-password = New password
signin-again = The same again
signin-store = Store and sign in
signin-other = Sign in as somebody else
signin-wrong = The name or the password is wrong.
signin-wrong-code = The code is wrong, or was used already. Wait for the next one.
signin-wait = Too many wrong attempts. The next one is possible in { $seconds } seconds.
signin-too-long = The password is too long.
signin-differ = The two passwords differ.
signin-old = This is the password that you had. Choose another one.
signin-length = A password has 10 to 256 characters. A few words are easy to remember.
signin-guessed = This password would be guessed early. A few unrelated words are better.

## What a film is called

call-suspected = Fracture suspected
call-positive = Fracture
call-negative = No fracture found
call-not-read = Not read
call-failed = Failed
call-reading = Being read
call-waiting = Waiting
scale-words = Probability { $probability }, positive from { $threshold }
scale-words-two = Probability { $probability }, positive from { $threshold }, definite from { $high }
side-left = left
side-right = right
verdict-agree = Agreed
verdict-disagree = Disagreed
verdict-unsure = Unsure

## Worklist

worklist-title = Worklist
worklist-filters = Filter films
worklist-search = Search by name, ID or accession number
worklist-search-hint = Name, ID or accession number
worklist-when = When the film came
worklist-state = State
worklist-finding = Finding
worklist-review = Review
worklist-filter = Filter
worklist-clear = Clear
worklist-any-state = Any state
worklist-read = Read
worklist-not-read = Not read
worklist-waiting = Waiting
worklist-failed = Failed
worklist-any-finding = Any finding
worklist-positive = Positive
worklist-negative = Negative
worklist-any-review = Any review
worklist-unreviewed = Not reviewed
worklist-day = Last 24 hours
worklist-week = Last 7 days
worklist-month = Last 30 days
worklist-all-days = All days
worklist-summary = Films of the last 24 hours
worklist-films-today = Films, 24 h
worklist-not-reviewed = { $count } not reviewed
worklist-no-further = No further films
worklist-behind = This page lies behind the last film.
worklist-previous-page = Previous page
worklist-none-fits = No film fits
worklist-none-fits-what = No film fits these filters.
worklist-none-fits-day = No film fits these filters in the last 24 hours.
worklist-clear-filters = Clear the filters
worklist-look-all = Look on all days
worklist-none-day = No films in the last 24 hours
worklist-none = No films
worklist-appear = Films appear here by themselves as they arrive.
worklist-connected = Is everything connected?
worklist-caption = Films, positive first, then the latest first
worklist-probability = Probability
worklist-side = Side
worklist-patient = Patient
worklist-age = Age
worklist-sex = Sex
worklist-accession = Accession
worklist-came = Came
worklist-pages = Pages of the list
worklist-previous = Previous
worklist-next = Next
worklist-range = Films { $first } to { $last }
worklist-again = tried again after:
key-rows = Next or previous film
key-or = `j` `k` or `↓` `↑`
key-open = Open the film
key-search = Search; `Esc` returns to the list
key-ends = First or last row
key-page = Previous or next page
key-positive = Positive films only, or all
key-unreviewed = Films without a review only, or all
key-renew = Renew now
script-stale = Not up to date since { $time }: { $why }. Trying again.
script-busy = the node is busy or its database does not answer
script-status = status { $status }
script-no-answer = the node does not answer

## Reviews

reviews-marked = marked at { $x }, { $y }
reviews-by = by { $name }, { $at }
reviews-undone = , undone { $at }
reviews-undo = Undo
reviews-verdict = A review is agree, disagree or unsure.
reviews-long = A note has at most 4,000 characters. Nothing was stored.

## Your account

me-title = Your account
me-recovery = Recovery codes
me-recovery-what = Each signs you in once if the device with your app is lost. They are shown this once.
me-name = Name
me-roles = Roles
me-roles-none = none: an administrator gives them
me-password = Password
me-current = Current password
me-change = Change the password
me-factor = Second factor
me-factor-set = Set up.
me-recovery-left = { $count ->
    [one] One recovery code is left.
   *[other] { $count } recovery codes are left.
}
me-factor-remove = Remove the second factor
me-factor-add = Add this key to an authenticator app on your phone, then type the six digits that it shows.
me-factor-key = Key
me-factor-address = Address
me-factor-digits = The six digits
me-factor-confirm = Confirm
me-factor-none = Set up none
me-factor-missing = Not set up. With it, a password alone signs nobody in.
me-factor-begin = Set up
me-sessions = Sessions
me-session-begun = Begun
me-session-seen = Last used
me-session-from = From
me-session-end = End
me-session-this = this one
me-sessions-others = Sign out everywhere else
me-language = Language
me-language-pages = Language of the pages
me-language-browser = As the browser asks
me-language-store = Store the language
me-wrong-password = The current password is wrong. Nothing was changed.
me-password-changed = The password is changed, and your other sessions have ended.
me-factor-exists = A second factor is set up. Remove it first.
me-factor-unasked = No second factor is being set up.
me-factor-wrong = The code is wrong. Check the clock of the device that shows it.
me-factor-done = The second factor is set up. Write the recovery codes down now.
me-factor-removed = The second factor is removed.
me-ended = Ended.

## Roles

role-physician = physician
role-reviewer = reviewer
role-reader = reader
role-administrator = administrator
role-auditor = auditor
role-allows-physician = opens films with their results, and reviews them
role-allows-reviewer = opens films with their results, and labels them
role-allows-reader = takes part in reader studies
role-allows-administrator = manages accounts and connections
role-allows-auditor = reads and verifies the audit log

## People

people-title = People
people-password-of = Password of { $name }
people-password-once = It is shown this once. At the first sign-in another is chosen.
people-disabled = Disabled.
people-last-sign-in = Last sign-in: { $at }.
people-sessions = Sessions: { $count }.
people-factor = Second factor set up.
people-no-factor = No second factor.
people-unused = The password that was given is not changed yet.
people-full-name = Full name
people-roles = Roles
people-store = Store
people-new-password = New password
people-sign-out = Sign out everywhere
people-enable = Enable
people-disable = Disable
people-add-somebody = Add somebody
people-name = Name to sign in with
people-add = Add
people-wrong-name = A name has 1 to 64 small letters, digits, dots, hyphens, underscores or @. Nothing was stored.
people-wrong-full-name = A full name has at most 128 characters. Nothing was stored.
people-taken = There is an account of this name. Nothing was stored.
people-last = This is the last account that can manage accounts: it keeps that role and stays enabled.
people-stored = Stored. The roles count at once.
people-now-disabled = Disabled, and signed out everywhere.
people-now-enabled = Enabled.
people-signed-out = Signed out everywhere.
error-language = There is no such language.

## Operations

operations-title = Operations
operations-wrong = { $name } does not answer as it should:
operations-answers = { $name } answers.
operations-echo = C-ECHO took { $milliseconds } ms, and it accepts every kind of object that is sent there.
operations-needs = Something needs a person: what is red below.
operations-fine = Nothing needs a person now.
operations-dead = Dead letters
operations-dead-none = None. What cannot be read or sent after all tries is listed here.
operations-dead-what = Tried no more, until someone resends them.
operations-resend-all = Resend all
operations-resend = Resend
operations-what = What
operations-film = Film
operations-tries = Tries
operations-status = Status
operations-why = Why
operations-destinations = Destinations
operations-destinations-none = None: results stay on this node. A `[[destination]]` in the configuration sends them to a PACS.
operations-name = Name
operations-gets = Gets
operations-waiting = Waiting
operations-sent = Sent
operations-failed = Dead
operations-last-success = Last success
operations-last-error-since = Last error since
operations-last-error = Last error
operations-test = Test
operations-refused = Refused associations
operations-who = Who
operations-remedy = What would allow it, in the configuration
operations-times = Times
operations-last = Last
operations-asked = asked for { $what }
operations-nothing = nothing
operations-at = { $name } at { $address }
operations-queues = Queues
operations-queues-none = Empty: no film has come yet.
operations-queue = Queue
operations-in-hand = In hand
operations-done = Done
operations-node = This node
operations-any-peer = any peer on this machine
operations-peers = { $count ->
    [one] one peer
   *[other] { $count } peers
}
operations-network = Network
operations-no-card = its card cannot be read
operations-no-reading = · this node does not read
operations-thresholds = Thresholds
operations-positive-from = positive from { $threshold }
operations-definite-from = definite from { $threshold }
operations-disk = Disk
operations-disk-full = { $free } free: films are refused below { $least }
operations-disk-free = { $free } free; films are refused below { $least }
operations-disk-unknown = not known: { $why }
operations-certificate = Certificate
operations-no-certificate = none: this node is reached from this machine only
operations-certificate-unread = its end cannot be read
operations-certificate-ended = ended { $day }
operations-certificate-ends = { $days ->
    [one] ends { $day }, in one day
   *[other] ends { $day }, in { $days } days
}
operations-commitments = Open storage commitments
operations-peer = Peer
operations-why-open = Why it is open
operations-untried = not tried yet
operations-apart = Objects kept apart
operations-apart-what = They came with the UID of a film that is here, and have other bytes.
operations-came = Came
operations-from = From
operations-hash = Hash
operations-reading = Reading
operations-copying = Copying to the bucket
operations-to = To { $name }
operations-dead-reading = Reading the film
operations-dead-copying = Copying the film to the bucket
operations-dead-sending = The { $object } to { $name }
object-sr = structured report
object-gsps = presentation state
object-sc = picture
object-parametric_map = heat map
object-film = film

## Audit

audit-title = Audit
audit-whole = The chain is whole.
audit-whole-what = { $count ->
    [one] One entry, with the hash and the signature that it was written with.
   *[other] { $count } entries, each with the hash and the signature that it was written with.
}
audit-broken = The chain is not as it was written.
audit-entry = entry { $entry }:
audit-unchecked = Not checked:
audit-last = Last entry
audit-key = key of this node
audit-filters = Filter entries
audit-person = Person
audit-anybody = Anybody
audit-action = Action
audit-any-action = Any action
audit-film = Film
audit-film-number = Film, by its number
audit-from-day = From
audit-to-day = To
audit-filter = Filter
audit-clear = Clear
audit-verify = Verify the chain
audit-csv = Export as CSV
audit-xml = Export as DICOM audit messages
audit-none = No entry fits
audit-caption = Entries, the latest first
audit-number = No.
audit-when = When
audit-who = Who
audit-what = What
audit-from = From
audit-detail = Detail
audit-hash = Hash
audit-pages = Pages of the log
audit-latest = Latest
audit-older = Older
audit-unreadable = The entry cannot be read
audit-program = program on this machine
audit-token = token
audit-node = node
audit-nobody = nobody
deed-node_started = Node started
deed-node_stopped = Node stopped
deed-signed_in = Signed in
deed-sign_in_failed = Sign-in failed
deed-signed_out = Signed out
deed-refused = Refused
deed-film_opened = Film opened
deed-films_listed = Films listed
deed-objects_searched = Objects searched
deed-objects_retrieved = Objects retrieved
deed-objects_stored = Objects stored
deed-results_read = Results read
deed-object_sent = Object sent
deed-film_removed = Film removed
deed-reviewed = Reviewed
deed-review_undone = Review undone
deed-resent = Resend asked for
deed-echoed = Destination tested
deed-person_added = Account added
deed-person_changed = Account changed
deed-password_changed = Password changed
deed-password_reset = Password reset
deed-factor_added = Second factor set up
deed-factor_removed = Second factor removed
deed-sessions_ended = Sessions ended
deed-token_created = Token created
deed-token_revoked = Token revoked
deed-audit_read = Audit log read
deed-audit_verified = Audit log verified
deed-audit_exported = Audit log exported

## Viewer

viewer-title = Film
viewer-tools = Film
viewer-window = Window
viewer-window-file = File
viewer-window-full = Full
viewer-window-auto = Auto
viewer-window-number = Window { $number }
viewer-view = View
viewer-fit = Fit
viewer-invert = Invert
viewer-rotate = Rotate
viewer-tool = Tools
viewer-pan = Pan
viewer-length = Length
viewer-mark = Mark
viewer-overlay = Overlay
viewer-outlines = Outlines
viewer-beside = Beside
viewer-heat = Heat
viewer-opacity = Opacity of the heat map, percent
viewer-canvas = The film.
viewer-no-canvas = Your browser shows no canvas.
viewer-legend-zero = Heat 0
viewer-legend-one = 1 = the network’s reference
viewer-loading = Loading the film …
viewer-plain = The film
viewer-side = Finding and review
viewer-finding = Finding
viewer-strength = strength { $score }
viewer-left = Patient’s left
viewer-right = Patient’s right
viewer-no-side = Side not known
viewer-no-heat = Another network read this film than the one configured now: the scale of its heat map is not known, and none is shown.
viewer-review = Review
viewer-agree = Agree
viewer-disagree = Disagree
viewer-unsure = Unsure
viewer-note = Note
viewer-patient-film = Patient and film
viewer-patient = Patient
viewer-id = ID
viewer-age-sex = Age, sex
viewer-accession = Accession
viewer-film = Film
viewer-study = Study
viewer-came = Came
viewer-read = Read
viewer-network = Network
viewer-others = Films of this patient
viewer-this = this film
viewer-turn = Films of the worklist
viewer-previous = Previous
viewer-next = Next
viewer-list = Worklist
key-verdict = Agree, disagree, unsure: stored at once
key-note = Write a note; `Esc` leaves it
key-undo = Undo the last review
key-leave = Leave a tool, or back to the worklist
key-drag = Drag
key-drag-what = Window: across is its width, down its level
key-window = Window narrower, wider; darker, brighter
key-presets = Window of the file, full, automatic; further ones of the file
key-wheel = `+` `-` or wheel
key-zoom = Zoom; `0` fits, `z` is pixel by pixel
key-arrows = Arrows, `v`
key-move = Move the film; right or middle button drags it
key-turn = Invert; rotate by 90°
key-length = Length: drag, or arrows and `Enter` twice; `x` removes all
key-mark = Mark a place: click, or arrows and `Enter`
key-overlay = Heat map and outlines: on or off; `{"{"}` `{"}"}` opacity
key-beside = Original beside overlay
script-original = Original
script-with-overlay = With overlay
script-pixels = { $count } pixels
script-millimeters = { $length } mm
script-at-detector = { $length } mm at the detector
script-own-window = The file’s own window
script-window = center { $center }, width { $width }
script-named-window = { $name }: center { $center }, width { $width }
script-measure = Length: drag from end to end, or move with the arrows and press Enter at both ends
script-no-spacing = The file states no spacing: lengths are in pixels
script-mark = Mark: click the place, or move with the arrows and press Enter
script-marked = Marked at { $x }, { $y }: stored with the review
script-opacity = Heat map at { $percent }%
script-agree = agree
script-disagree = disagree
script-unsure = unsure
script-draft = Not stored yet: { $verdict }. Press { $key } to store it.
script-storing = Storing …
script-signed-out = you are signed out
script-answered = the node answered { $status }
script-not-stored = Not stored: { $why }. The note is kept here; try again.
script-stored = Stored. Shift U undoes it.
script-undone = Undone.
script-nothing-to-undo = There is no review to undo.
script-no-further = There is no further film in this list
script-note-kept = The note is not stored yet: a, d or u stores it. Once more leaves without.
script-progress = Full resolution: { $percent }%
script-full = { $columns } × { $rows }, full resolution
script-not-shown = The film cannot be shown: { $why }
script-not-loaded = The film cannot be loaded: { $why }
script-not-reached = The film cannot be loaded: the node does not answer. Reload the page to try again.
script-values-not-loaded = The film at full resolution cannot be loaded: reload the page to try again

## Known sentences of the gate and the decoders

reason-small = smaller than { $least } pixels
reason-shows = shows { $part }, by its header
reason-lateral = lateral view
reason-decubitus = lateral decubitus view
reason-oblique = oblique view
reason-axial = axial view
reason-frog = frog-leg view
reason-view = view { $view }, by its header
reason-body-part = Body Part Examined (0018,0015) is { $term }
reason-view-position = View Position (0018,5101) is { $term }
reason-series = Series Description (0008,103E) names { $term }
reason-protocol = Protocol Name (0018,1030) names { $term }
reason-study = Study Description (0008,1030) names { $term }
reason-own = a result object of this program
reason-empty = the file is empty
reason-format = not a DICOM, PNG, JPEG or TIFF file
reason-truncated = the { $format } file is truncated ({ $detail })
reason-malformed = the { $format } file is malformed ({ $detail })
reason-missing = { $what } is missing
reason-value = { $what } is { $value }, where { $expected } is needed
reason-unsupported = { $what } is not supported
reason-large = { $what } is over the limit of { $limit }
reason-few-pixels = { $size } pixels are too few for a film (a side has { $least } or more)
reason-crashed = the film cannot be decoded
reason-undecodable = the pixels cannot be decoded as { $encoding } ({ $detail })
reason-modality = its Modality (0008,0060) is { $modality }, not a plain film
reason-class = its SOPClassUID (0008,0016) says { $class }, not a plain film
reason-class-uid = its SOPClassUID (0008,0016) is { $class }, not that of a plain film
reason-class-private = its SOPClassUID (0008,0016) is a private one, not that of a plain film
reason-frames = NumberOfFrames (0028,0008) is { $count }, a multi-frame image
reason-pages = the TIFF file has several pages

## Known sentences of the node and its peers

reason-hint = { $reason }; { $hint }
reason-database = the database: { $what }
reason-disk = the disk: { $what }
reason-bucket = the bucket: { $what }
reason-other-bytes = the object { $hash } has other bytes than its name says
reason-not-here = the object { $hash } is not here, and not in the bucket
reason-header = the film's header: { $what }
reason-damaged = the object is damaged
reason-accepts-no = it accepts no { $classes }
reason-echo = C-ECHO was answered with { $reason }
reason-report = the report was answered with { $reason }
reason-not-dicom = the first bytes are { $bytes }, not DICOM
reason-connection = the connection failed: { $what }
reason-connect-refused = cannot connect to { $address }: Connection refused (os error { $number })
reason-connect = cannot connect to { $address }: { $what }
reason-idle = the peer did nothing for { $seconds } s while { $doing }
reason-closed = the peer closed the connection while { $doing }
reason-aborted = the peer aborted the association
reason-rejected = the peer rejected the association: { $what }
reason-no-syntax = the peer accepts no transfer syntax for { $class }
reason-limit = the association exceeds the limit of { $limit }
reason-sent = the peer sent { $what }
reason-check-host = check host and port, and that the peer is running
reason-speaks-tls = the port speaks TLS: name the file of its authorities
reason-called = the peer does not know itself by the called AE title; titles are case-sensitive
reason-calling = add this node's AE title, host and port to the peer's configuration
reason-commitment = to answer it, add host and port: { $line }
reason-not-answered = { $peer } asked for storage commitment, but where to answer is not known
reason-wrong-title = { $calling } called { $called }, but this node's AE title is { $own }
reason-unknown-title = the calling AE title { $calling } is not known here
reason-unknown-address = { $calling } is not known at { $address }
reason-certificate = { $calling } did not show the certificate that is known of it
reason-congestion = every place for an association is taken
reason-may-nothing = { $calling } may do nothing of what it asked for
reason-peer-sent = a peer sent { $what }
reason-remedy-called = did you mean { $own }? Set the called AE title to { $own2 } at the peer, or this node's to { $called } by `{ $line }`
reason-remedy-called-case = did you mean { $own }? (titles are case-sensitive) Set the called AE title to { $own2 } at the peer, or this node's to { $called } by `{ $line }`
reason-remedy-similar = did you mean { $similar }? Set the peer's title to { $similar2 }, or add: { $line }
reason-remedy-add = to allow it, add: { $line }
reason-remedy-moved = if the peer has moved, set host = { $host } in the [[peer]] of { $calling }
reason-remedy-certificate = if the peer has a new certificate, set certificate = { $certificate } in its [[peer]]
reason-remedy-client = the peer must show a certificate: switch TLS client authentication on at the peer
reason-remedy-fewer = raise the limit of associations, or send over fewer at once
reason-remedy-may = if the peer may do this, add it to `may` in the [[peer]] of { $calling }
reason-remedy-dicom = check that the peer speaks DICOM, and TLS where this port does

## Known meanings of DIMSE statuses

reason-status-success = { $code }H (success)
reason-status-success-but-optional-attributes-are-not-supported = { $code }H (success, but optional attributes are not supported)
reason-status-accepted-but-an-attribute-list-was-wrong-in-part = { $code }H (accepted, but an attribute list was wrong in part)
reason-status-accepted-but-a-value-is-out-of-range = { $code }H (accepted, but a value is out of range)
reason-status-no-such-attribute = { $code }H (no such attribute)
reason-status-an-attribute-has-an-invalid-value = { $code }H (an attribute has an invalid value)
reason-status-a-failure-in-processing = { $code }H (a failure in processing)
reason-status-the-instance-exists-already = { $code }H (the instance exists already)
reason-status-no-such-instance = { $code }H (no such instance)
reason-status-no-such-event = { $code }H (no such event)
reason-status-an-argument-is-invalid = { $code }H (an argument is invalid)
reason-status-the-instance-s-uid-is-invalid = { $code }H (the instance's UID is invalid)
reason-status-no-such-sop-class = { $code }H (no such SOP class)
reason-status-the-instance-is-of-another-sop-class = { $code }H (the instance is of another SOP class)
reason-status-the-sop-class-is-not-supported = { $code }H (the SOP class is not supported)
reason-status-no-such-action = { $code }H (no such action)
reason-status-not-authorized = { $code }H (not authorized)
reason-status-the-transaction-exists-already = { $code }H (the transaction exists already)
reason-status-the-message-was-sent-twice = { $code }H (the message was sent twice)
reason-status-the-operation-is-not-supported = { $code }H (the operation is not supported)
reason-status-an-argument-is-wrong = { $code }H (an argument is wrong)
reason-status-a-resource-limitation = { $code }H (a resource limitation)
reason-status-out-of-resources = { $code }H (out of resources)
reason-status-out-of-resources-the-number-of-matches-cannot-be-counted = { $code }H (out of resources: the number of matches cannot be counted)
reason-status-out-of-resources-sub-operations-cannot-be-performed = { $code }H (out of resources: sub-operations cannot be performed)
reason-status-the-move-destination-is-unknown = { $code }H (the move destination is unknown)
reason-status-the-data-set-does-not-match-the-sop-class = { $code }H (the data set does not match the SOP class)
reason-status-accepted-but-data-elements-were-changed = { $code }H (accepted, but data elements were changed)
reason-status-accepted-but-data-elements-were-discarded = { $code }H (accepted, but data elements were discarded)
reason-status-accepted-but-the-data-set-does-not-match-the-sop-class = { $code }H (accepted, but the data set does not match the SOP class)
reason-status-accepted-with-a-warning = { $code }H (accepted with a warning)
reason-status-cannot-understand-the-object = { $code }H (cannot understand the object)
reason-status-canceled = { $code }H (canceled)
reason-status-pending = { $code }H (pending)
reason-status-a-failure = { $code }H (a failure)

## Known sentences of a verification

reason-entry-missing = is missing
reason-entries-missing = and those up to { $entry } are missing
reason-entry-stated = is missing: the log states { $entry } as its last entry
reason-last-hash = the log states another hash for its last entry
reason-last-stated = the log states { $entry } as its last entry
reason-entry-hash = its hash does not follow from its text and the entry before it: one of them was changed or exchanged
reason-entry-key = is signed by the key { $key }, which is not known here
reason-entry-signature = its signature is not that of its key
reason-entry-columns = its columns say something else than its text
reason-entry-text = its text cannot be read
reason-head-key = the head that was kept apart is not signed by a key that is known here
reason-head-hash = has another hash than the head that was kept apart: the chain was written anew
reason-head-cut = is missing, and the head that was kept apart states it: the chain was cut at its end
reason-no-head = the end of the chain: the head that this node keeps apart is missing

## Body parts, as the gate writes them

part-abdomen = an abdomen
part-acromioclavicular-joint = an acromioclavicular joint
part-ankle = an ankle
part-arm = an arm
part-brain = a brain
part-breast = a breast
part-calcaneus = a calcaneus
part-carpus = a carpus
part-cervical-spine = a cervical spine
part-chest = a chest
part-clavicle = a clavicle
part-coccyx = a coccyx
part-elbow = an elbow
part-face = a face
part-fibula = a fibula
part-finger = a finger
part-foot = a foot
part-forearm = a forearm
part-forefoot = a forefoot
part-hand = a hand
part-head = a head
part-heart = a heart
part-heel = a heel
part-humerus = a humerus
part-jaw = a jaw
part-knee = a knee
part-lower-leg = a lower leg
part-lumbar-spine = a lumbar spine
part-lung = a lung
part-mandible = a mandible
part-mastoid = a mastoid
part-maxilla = a maxilla
part-metacarpus = a metacarpus
part-metatarsus = a metatarsus
part-neck = a neck
part-nose = a nose
part-orbit = an orbit
part-patella = a patella
part-radius = a radius
part-radius-ulna = a radius and ulna
part-rib = a rib
part-sacrum = a sacrum
part-scapula = a scapula
part-shoulder = a shoulder
part-sinus = a sinus
part-skull = a skull
part-spine = a spine
part-sternoclavicular-joint = a sternoclavicular joint
part-sternum = a sternum
part-tarsus = a tarsus
part-temple = a temple
part-temporomandibular-joint = a temporomandibular joint
part-thoracic-spine = a thoracic spine
part-thorax = a thorax
part-thumb = a thumb
part-tibia = a tibia
part-tibia-fibula = a tibia and fibula
part-toe = a toe
part-tooth = a tooth
part-ulna = an ulna
part-upper-arm = an upper arm
part-upperextremity = an upperextremity
part-wrist = a wrist
