// Tensors in a file that `torch.load` in Python reads too, as a dictionary.
#pragma once

#include "model.h"

#include <string>

// Replaces the file as a whole: a reader, or the next attempt after a crash, never sees half of it.
void save_tensors(const std::string& path, const NamedTensors& tensors);

// Copies the file's contents into `tensors`, on whatever device they are. Throws when the file is damaged or
// when a name is missing or has another shape there.
void load_tensors(const std::string& path, const NamedTensors& tensors);
