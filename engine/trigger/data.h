// Versions of datasets. A dataset is a folder (or one file); its version is the digest of its manifest, one
// line a file. Watching is cheap: a file whose size, times and inode are as they were is not read again.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.h"

namespace pawl::trigger {

struct DataFile {
  std::string path;  // relative to the dataset, '/' separated
  uint64_t bytes = 0;
  std::string sha256;
};

struct DataVersion {
  std::string digest;  // "sha256:<hex>" of manifest
  std::string manifest;
  uint64_t files = 0;
  uint64_t bytes = 0;
};

// What is wanted of a dataset; patterns are globs relative to its root, an empty include means everything.
struct DataSpec {
  std::string root;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
};

// What a file looked like when it was hashed. Owned by one thread at a time.
struct StatCache {
  struct Entry {
    uint64_t bytes;
    int64_t mtime_ns;
    int64_t ctime_ns;
    uint64_t inode;
    std::string sha256;
  };
  std::map<std::string, Entry> entries;  // by absolute path
};

// Canonical text of a manifest and its digest: "<sha256>  <bytes>  <path>\n", sorted by path.
DataVersion make_version(std::vector<DataFile> files);
// The files of such a text. Error invalid for anything else, also for a path that leads out of the dataset.
Result<std::vector<DataFile>> parse_manifest(std::string_view manifest);

// Scans and hashes. Symbolic links inside the dataset are followed only to regular files below the root; dot
// files and names ending in ".tmp", ".part" or "~" are ignored (writers use them before a rename). A file
// that changes while it is read is an error unavailable: ask again once it has settled. An empty dataset is
// an error.
Result<DataVersion> scan_data(const DataSpec& spec, StatCache& cache);

// A cheap fingerprint of names, sizes and times, for settling: two equal ones in a row mean nobody is
// writing.
Result<std::string> data_fingerprint(const DataSpec& spec);

}  // namespace pawl::trigger
