// Names and ids that came from outside, before they reach git: a name that passes here cannot be taken for an
// option, a range or a path out of refs/.
#pragma once

#include <string_view>

namespace pawl::forge {

// Whether `name` is a full reference name ("refs/heads/main") by the rules of git check-ref-format(1): at
// least two components, none that begins with a dot or ends with ".lock", no "..", "@{", space, control
// character or any of ~^:?*[\ , no slash at either end or doubled, no dot at the end. Also refused: a leading
// '-', and more than 1024 bytes.
bool valid_ref_name(std::string_view name);

// Whether `name` is the part after refs/heads/ (or refs/tags/) of a valid reference, and can stand alone on a
// command line: it does not begin with '-', and is not "HEAD".
bool valid_branch_name(std::string_view name);

// 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits, as git and every forge write them.
bool is_object_id(std::string_view text);

// An object id of zeros only: "there is nothing here", the old side of a creation and the new side of a
// deletion.
bool is_zero_id(std::string_view text);

}  // namespace pawl::forge
