// Completing the trace of a process that was killed: what it had recorded in its ring (ring_file.h) and not
// yet written is appended to its segments, nothing twice, and the ring is removed. Whoever comes next does
// it: the next process of the rank, the supervisor, or who reads the segments later; begun and interrupted,
// it can be done again.
//
// The ring comes from outside: one that makes no sense, or does not fit the segments that are there, is kept
// as `ring.damaged`. What the file system refuses is left for another time; unless it is the next process of
// the rank that is refused, which goes on in a later segment: the ring is `ring.damaged` then. Never throws.
#pragma once

namespace pawl::capture {

// The folder of a rank. False: there is a ring whose records are not in the segments.
bool complete_rank(int rank_dir);  // leaves the folder alone while a process records there

// REQUIRES: the caller holds the lock of the folder.
bool complete_locked_rank(int rank_dir);

}  // namespace pawl::capture
