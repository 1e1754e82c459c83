#include "stages/evaluate/dataset.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/base/files.h"
#include "engine/base/text.h"
#include "stages/evaluate/data_file.h"
#include "stages/evaluate/npz.h"

namespace pawl::evaluate {
namespace {

Error invalid(std::string message, const std::string& where) {
  return {ErrorCode::invalid, std::move(message), where};
}

bool is_folder(const std::string& path) {
  return list_dir(path).ok();
}

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

Result<std::vector<std::string>> names_in(const std::string& folder, bool folders) {
  PAWL_ASSIGN(const std::vector<DirEntry> entries, list_dir(folder));
  std::vector<std::string> out;
  for (const DirEntry& entry : entries) {
    const bool is_dir = entry.type == DirEntry::Type::symlink ? is_folder(join_path(folder, entry.name))
                                                              : entry.type == DirEntry::Type::directory;
    if (is_dir == folders && !entry.name.starts_with('.')) out.push_back(entry.name);
  }
  return out;
}

std::optional<Format> format_of_name(std::string_view name) {
  if (name.ends_with(".gz")) name.remove_suffix(3);
  if (name.ends_with(".npz")) return Format::npz;
  if (name.ends_with(".npy")) return Format::npy;
  if (name.ends_with(".csv")) return Format::csv;
  if (name.find("-idx") != std::string_view::npos || name.ends_with(".idx")) return Format::idx;
  return std::nullopt;
}

Result<Format> find_format(const std::string& path) {
  if (!is_folder(path)) {
    if (const auto format = format_of_name(name_of(path))) return *format;
    return invalid("the name does not tell the format; give --format", path);
  }
  PAWL_ASSIGN(const std::vector<std::string> files, names_in(path, false));
  std::optional<Format> found;
  for (const std::string& name : files) {
    const auto format = format_of_name(name);
    if (!format || format == found) continue;
    if (found) return invalid("holds files of several formats; give --format", path);
    found = format;
  }
  if (found) return *found;
  PAWL_ASSIGN(const std::vector<std::string> folders, names_in(path, true));
  if (!folders.empty()) return Format::images;
  return invalid("holds no IDX, .npy, .npz or .csv file and no folders of images", path);
}

// The one file of the format in a folder, or `path` itself.
Result<std::string> only_file(const std::string& path, Format format, const std::string& split) {
  if (!is_folder(path)) return path;
  PAWL_ASSIGN(std::vector<std::string> names, names_in(path, false));
  std::erase_if(names, [format](const std::string& name) { return format_of_name(name) != format; });
  if (names.size() > 1) names = names_of_split(names, split);
  if (names.size() == 1) return join_path(path, names[0]);
  return invalid(names.empty()
                     ? std::string("has no file of this split")
                     : fmt::format("which of these is meant? Say it with --split: {}", join(names, ", ")),
                 path);
}

Result<void> take_labels(const Array& array, const std::string& where, Dataset& out) {
  if (array.per_example() != 1 || array.examples() != out.inputs->size()) {
    return invalid(fmt::format("the labels have shape ({}), there are {} examples",
                               fmt::join(array.shape, ", "), out.inputs->size()),
                   where);
  }
  out.labels.numbers.resize(array.examples());
  copy_doubles(array, 0, out.labels.numbers);
  return {};
}

Result<void> take_groups(const Array& array, const std::string& where, Dataset& out) {
  if (array.per_example() != 1 || array.examples() != out.inputs->size())
    return invalid("the groups are not one for each example", where);
  std::vector<std::int64_t> codes(array.examples());
  copy_integers(array, 0, codes);
  out.groups.assign(codes.begin(), codes.end());
  return {};
}

// IDX and NPY: the inputs in one file, the labels in another beside it.
class ArrayFiles {
 public:
  ArrayFiles(const DatasetOptions& options, Format format) : options_(options), format_(format) {}

  Result<Dataset> open() const {
    PAWL_ASSIGN(const NamePair files, find_files());
    Dataset out;
    out.source = files.inputs;
    PAWL_ASSIGN(Array array, read(files.inputs));
    // Images of one channel come without it.
    if (format_ == Format::idx && array.shape.size() == 3) array.shape.insert(array.shape.begin() + 1, 1);
    PAWL_ASSIGN(out.inputs, array_inputs(std::move(array), options_.normalization));
    PAWL_ASSIGN(const Array labels, read(files.labels));
    PAWL_RETURN_IF_ERROR(take_labels(labels, files.labels, out));
    if (!options_.groups.empty()) {
      const std::string path =
          is_folder(options_.path) ? join_path(options_.path, options_.groups) : options_.groups;
      PAWL_ASSIGN(const Array groups, read(path));
      PAWL_RETURN_IF_ERROR(take_groups(groups, path, out));
    }
    return out;
  }

 private:
  Result<Array> read(const std::string& path) const {
    PAWL_ASSIGN(const std::string bytes, read_data_file(path));
    return format_ == Format::idx ? parse_idx(bytes, path) : parse_npy(bytes, path);
  }

  Result<NamePair> find_files() const {
    const bool folder = is_folder(options_.path);
    if (!folder && !options_.labels.empty()) return NamePair{options_.path, options_.labels};
    const std::string parent = folder ? options_.path : parent_path(options_.path);
    PAWL_ASSIGN(std::vector<std::string> names, names_in(parent.empty() ? "." : parent, false));
    std::erase_if(names, [this](const std::string& name) { return format_of_name(name) != format_; });
    if (!folder) {
      PAWL_ASSIGN(const NamePair pair, find_labels(name_of(options_.path), names, parent));
      return NamePair{options_.path, join_path(parent, pair.labels)};
    }
    if (!options_.groups.empty()) std::erase(names, options_.groups);
    PAWL_ASSIGN(NamePair pair, find_pair(names, options_.split, options_.labels, parent));
    return NamePair{join_path(parent, pair.inputs), join_path(parent, pair.labels)};
  }

  const DatasetOptions& options_;
  Format format_;
};

Result<Dataset> open_npz(const DatasetOptions& options) {
  PAWL_ASSIGN(const std::string path, only_file(options.path, Format::npz, options.split));
  PAWL_ASSIGN(const std::string bytes, read_file(path, kMaxDataBytes));
  PAWL_ASSIGN(const Npz archive, Npz::open(bytes, path));
  std::vector<std::string> names = archive.names();
  std::erase(names, options.groups);
  PAWL_ASSIGN(const NamePair pair, find_pair(names, options.split, options.labels, path));
  Dataset out;
  out.source = fmt::format("{}[{}]", path, pair.inputs);
  PAWL_ASSIGN(Array inputs, archive.read(pair.inputs));
  PAWL_ASSIGN(out.inputs, array_inputs(std::move(inputs), options.normalization));
  PAWL_ASSIGN(const Array labels, archive.read(pair.labels));
  PAWL_RETURN_IF_ERROR(take_labels(labels, fmt::format("{}[{}]", path, pair.labels), out));
  if (!options.groups.empty()) {
    PAWL_ASSIGN(const Array groups, archive.read(options.groups));
    PAWL_RETURN_IF_ERROR(take_groups(groups, fmt::format("{}[{}]", path, options.groups), out));
  }
  return out;
}

Result<Dataset> open_csv(const DatasetOptions& options) {
  PAWL_ASSIGN(const std::string path, only_file(options.path, Format::csv, options.split));
  PAWL_ASSIGN(const std::string text, read_data_file(path));
  CsvColumns columns;
  if (!options.labels.empty()) columns.label = options.labels;
  if (!options.groups.empty()) columns.group = options.groups;
  PAWL_ASSIGN(CsvTable table, parse_csv(text, path, columns));
  Dataset out;
  out.source = path;
  out.labels = std::move(table.labels);
  out.ids = std::move(table.ids);
  out.groups = std::move(table.groups);
  PAWL_ASSIGN(out.inputs, array_inputs(std::move(table.features), options.normalization));
  return out;
}

bool is_image_name(const std::string& name) {
  const std::string lower = to_lower(name);
  return lower.ends_with(".png") || lower.ends_with(".jpg") || lower.ends_with(".jpeg");
}

// The folder that holds the classes: a split of `path`, or `path` itself.
Result<std::string> folder_of_classes(const DatasetOptions& options) {
  PAWL_ASSIGN(const std::vector<std::string> folders, names_in(options.path, true));
  const auto has = [&](const std::string& name) { return std::ranges::find(folders, name) != folders.end(); };
  if (!options.split.empty()) {
    if (has(options.split)) return join_path(options.path, options.split);
    return Error(ErrorCode::not_found, fmt::format("has no folder '{}'", options.split), options.path);
  }
  for (const char* name : {"test", "val"})
    if (has(name)) return join_path(options.path, name);
  return options.path;
}

Result<Dataset> open_images(const DatasetOptions& options) {
  PAWL_ASSIGN(const std::string root, folder_of_classes(options));
  PAWL_ASSIGN(const std::vector<std::string> classes, names_in(root, true));
  Dataset out;
  out.source = root;
  std::vector<std::string> paths;
  for (const std::string& name : classes) {
    const std::string folder = join_path(root, name);
    PAWL_ASSIGN(const std::vector<std::string> files, names_in(folder, false));
    for (const std::string& file : files) {
      if (!is_image_name(file)) continue;
      paths.push_back(join_path(folder, file));
      out.ids.push_back(fmt::format("{}/{}", name, file));
      out.labels.words.push_back(name);
    }
  }
  if (paths.empty()) return invalid("holds no folder with .png, .jpg or .jpeg files", root);
  PAWL_ASSIGN(out.inputs, image_inputs(std::move(paths), options.normalization));
  return out;
}

Result<Dataset> open_format(const DatasetOptions& options, Format format) {
  switch (format) {
    case Format::idx:
    case Format::npy:
      return ArrayFiles(options, format).open();
    case Format::npz:
      return open_npz(options);
    case Format::csv:
      return open_csv(options);
    case Format::images:
      break;
  }
  return open_images(options);
}

}  // namespace

Result<Dataset> open_dataset(const DatasetOptions& options) {
  if (!path_exists(options.path)) return Error(ErrorCode::not_found, "does not exist", options.path);
  Format format = Format::idx;
  if (options.format) {
    format = *options.format;
  } else {
    PAWL_ASSIGN(format, find_format(options.path));
  }
  PAWL_ASSIGN(Dataset out, open_format(options, format));
  if (options.limit > 0 && options.limit < out.size()) {
    out.labels.resize(options.limit);
    if (!out.ids.empty()) out.ids.resize(options.limit);
    if (!out.groups.empty()) out.groups.resize(options.limit);
  }
  return out;
}

}  // namespace pawl::evaluate
