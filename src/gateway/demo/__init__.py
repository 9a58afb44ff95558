"""The demo: two media services, the gateway in front of both, and a cast that shows who may do what.

- `cast`: people, groups, objects and grants, as data.
- `media`: a real MP4, HLS and MP3, made by the packaged ffmpeg.
- `catalogue`, `asset_api`: the small asset API, a media service of our own in a process of its own.
- `copyparty`: the other media service, unmodified, told to trust the gateway and nobody else.
- `folder`: everything that the demo writes, in one folder; `facts`: the cast in the store, and its tokens.
- `processes`: start, wait until ready, stop; `run`: all of them together, from preparing to stopping.
- `lines`: the `curl` lines with what to expect; `check`: runs them and compares.
- `command`: `mediagate demo`.
"""
