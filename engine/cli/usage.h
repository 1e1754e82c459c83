// What a command line that cannot be understood is answered with.
#pragma once

#include <string>

namespace CLI {
class App;
class Error;
}  // namespace CLI

namespace pawl::cli {

// CLI11's message, with the command or option that was probably meant. For App::failure_message().
std::string usage_message(const CLI::App* app, const CLI::Error& error);

}  // namespace pawl::cli
