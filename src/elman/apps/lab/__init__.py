"""`elman lab`: a page on this machine on which one trains, watches, writes and understands.

It is a face: what it shows and does is asked of `tasks`, `run`, `probe` and `comparison`, or of the
command line itself, which trains in processes of its own. How the parts hang together:

    launching   the command: a port that answers at once, the address with its token, the browser
    gate        who is let in: token, cookie, host, origin; headers that keep all else out
    leaving     who goes before an answer is there
    server      the application: one address a room and language, /en/start?run=NAME
    rooms       one folder a room, found by its name: `ROOM = Room(order, build)`
    page        what a room is given: the words, the chosen run, the one timer
    frame       what stands around every room: links, language, light or dark, the run
    workspace   the folder of runs, the files that were dropped
    words       every message, one table a language and room
    pieces      what several rooms show
"""
