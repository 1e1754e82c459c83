// `--record R`: the place that R names, opened, and what `pawl run` and `pawl record` say about it.
#pragma once

#include <memory>
#include <string>

#include "engine/core/merge_record.h"
#include "engine/record/record_store.h"

namespace pawl::cli {

// Ready to be read and written. Error unavailable, with what to mend.
Result<std::unique_ptr<record::RecordStore>> open_store(const std::string& record,
                                                        const std::string& repository);

void print_left_out(const core::Merged& merged);

}  // namespace pawl::cli
