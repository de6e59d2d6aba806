"""What can go wrong at the exchange, on purpose: each kind of fault is a class, each family of kinds a module.

`when` (moments and lengths), `base` (what all kinds share), then the families. Answers over HTTP: `refusals`, `delays`, `bodies`,
`rows`. The feed: `ticks`, `silences`, `garbage`, `sockets`. Trading itself: `halts`, `auctions`, `corporate`. The exchange's
clock: `clocks`. Above them: `kinds` (all of them by name), `scenario` (the file), `schedule` (what is on and when), and where
faults take hold: `requests` (HTTP), `tape` (the feed), `market` (prices). `budget` is the limit on requests, `admin` and `command`
switch faults at run time.

Nothing outside of this package asks whether a fault is on: `serve` hands the ordinary path other parts to work with.
"""
