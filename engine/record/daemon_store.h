// The record that a daemon keeps (`pawl serve`), through its API: docs/daemon.md, "/api/v1/record".
#pragma once

#include "engine/forge/http_client.h"
#include "engine/record/record_store.h"

namespace pawl::record {

inline constexpr std::uint64_t kMaxDaemonFileBytes = std::uint64_t{8} << 30;
inline constexpr std::size_t kPieceBytes = 4u << 20;  // of a file, in one request

class DaemonStore : public RecordStore {
 public:
  // `url` without a path: "https://pawl.example.com", also http:// when it is this machine.
  DaemonStore(std::string url, std::string token);

  std::string name() const override { return "the record of the daemon at " + url_; }
  Result<void> open() override;
  Result<std::vector<std::string>> list(const std::string& project) override;
  Result<std::string> get(const std::string& project, const std::string& name) override;
  Result<void> get_file(const std::string& digest, const std::string& to) const override;
  std::string refuses(const NewFile& file) const override;
  Result<void> add(const std::string& project, const std::vector<NewFile>& files,
                   const std::vector<NewEntry>& entries) override;

 private:
  forge::HttpRequest request(std::string method, const std::string& path) const;
  // The body of a 2xx answer.
  Result<std::string> exchange(forge::HttpClient& http, const forge::HttpRequest& request) const;
  Error refusal(const forge::HttpResponse& response) const;
  Result<void> send_file(const NewFile& file);

  std::string url_;
  std::string token_;
  forge::HttpClient http_;
};

}  // namespace pawl::record
