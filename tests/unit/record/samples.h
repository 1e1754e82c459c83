// Entries with something in every field.
#pragma once

#include <string>

#include "engine/record/entry.h"

namespace pawl::record {

std::string sample_id(int number);  // of a run
RunEntry sample_run(int number = 1);
PinEntry sample_pin(int run = 1);
WaiverEntry sample_waiver();
RevocationEntry sample_revocation();

}  // namespace pawl::record
