#include "pipelines/document.h"

#include <fmt/format.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_set>

#include "engine/base/text.h"
#include "pipelines/syntax.h"

namespace pawl::pipeline {
namespace {

Span span_of(const YAML::Mark& mark) {
  return {mark.line + 1, mark.column + 1};
}

// Leaves the YAML library from inside a callback.
struct Refused {
  Diagnostic why;
};

struct Size {
  size_t nodes = 1;
  size_t bytes = 0;
  size_t depth = 1;
};

Size size_of(const Node& node) {
  Size size;
  size.bytes = node.text.size();
  auto add = [&size](const Node& child) {
    Size inner = size_of(child);
    size.nodes += inner.nodes;
    size.bytes += inner.bytes;
    size.depth = std::max(size.depth, inner.depth + 1);
  };
  for (const Node& item : node.items) add(item);
  for (const Entry& entry : node.entries) {
    size.bytes += entry.key.size();
    add(entry.value);
  }
  return size;
}

// Builds the tree from the parser's events. Copies made for anchors and aliases count like nodes of the text,
// so memory stays proportional to the caps whatever the aliases do.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Source& source, std::vector<Diagnostic>& errors) : source_(source), errors_(errors) {}

  std::optional<Node> take_root() { return std::move(root_); }
  std::optional<Span> last_quoted() const { return last_quoted_; }
  // Where the innermost list or map that is still open began.
  Span innermost() const { return frames_.empty() ? Span{} : frames_.back().node.span; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (documents_++ > 0) refuse(span_of(mark), "a second YAML document", "a pipeline file is one document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.span = span_of(mark);
    add(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchored_.find(anchor);
    if (found == anchored_.end()) refuse(span_of(mark), "an alias inside the value it stands for");
    charge(size_of(found->second), span_of(mark));
    Node copy = found->second;
    if (copy.kind == Node::Kind::scalar) copy.span = span_of(mark);
    attach(std::move(copy));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    if (value.find('\0') != std::string::npos) refuse(span_of(mark), "a text must not hold a NUL character");
    Node node;
    node.kind = Node::Kind::scalar;
    node.span = span_of(mark);
    node.quoted = tag == "!";
    node.text = value;
    last_quoted_ = node.quoted ? std::optional(node.span) : std::nullopt;
    add(std::move(node), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::map, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    std::optional<Node> key;  // of a map, while its value is awaited
    std::unordered_set<std::string> seen;
  };

  [[noreturn]] void refuse(Span at, std::string message, std::string hint = {}) const {
    throw Refused{source_.error(at, std::move(message), std::move(hint))};
  }

  // "?" and "!" are the library's own marks for plain and quoted.
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) const {
    bool written = tag != "?" && tag != "!" && !tag.empty();
    size_t at = source_.offset_of(span_of(mark));
    if (!written && tag == "!") written = at < source_.text().size() && source_.text()[at] == '!';
    if (written)
      refuse(span_of(mark), "YAML tags are not supported", "a value that starts with '!' must be in quotes");
  }

  void charge(const Size& size, Span at) {
    if (frames_.size() + size.depth > kMaxDepth) refuse(at, fmt::format("nested deeper than {}", kMaxDepth));
    nodes_ += size.nodes;
    bytes_ += size.bytes;
    if (nodes_ > kMaxNodes) refuse(at, fmt::format("more than {} values, aliases expanded", kMaxNodes));
    if (bytes_ > kMaxExpandedBytes)
      refuse(at, fmt::format("more than {}, aliases expanded", format_bytes(kMaxExpandedBytes)));
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    refuse_tag(mark, tag);
    last_quoted_.reset();
    charge(Size{}, span_of(mark));
    Frame frame;
    frame.node.kind = kind;
    frame.node.span = span_of(mark);
    frame.anchor = anchor;
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    remember(frame.node, frame.anchor);
    attach(std::move(frame.node));
  }

  void add(Node node, YAML::anchor_t anchor) {
    charge(size_of(node), node.span);
    remember(node, anchor);
    attach(std::move(node));
  }

  void remember(const Node& node, YAML::anchor_t anchor) {
    if (anchor == 0) return;
    charge(size_of(node), node.span);
    anchored_[anchor] = node;
  }

  void attach(Node node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == Node::Kind::sequence) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.key) {
      check_key(node);
      frame.key = std::move(node);
    } else {
      add_entry(frame, std::move(node));
    }
  }

  void check_key(const Node& key) const {
    if (key.kind != Node::Kind::scalar) refuse(key.span, "a key must be a word");
    if (key.text == "<<" && !key.quoted)
      refuse(key.span, "merge keys are not supported",
             "write the keys out, or use an alias for a whole value");
  }

  void add_entry(Frame& frame, Node value) {
    Node key = *std::move(frame.key);
    frame.key.reset();
    // The library puts a missing value where the next token stands.
    if (value.kind == Node::Kind::null) value.span = key.span;
    if (frame.seen.insert(key.text).second) {
      frame.node.entries.push_back({std::move(key.text), key.span, std::move(value)});
      return;
    }
    auto first = std::find_if(frame.node.entries.begin(), frame.node.entries.end(),
                              [&](const Entry& entry) { return entry.key == key.text; });
    errors_.push_back(source_.error(key.span, fmt::format("duplicate key '{}'", key.text),
                                    fmt::format("first written in line {}", first->key_span.line)));
    if (errors_.size() >= kMaxDuplicates) throw Refused{source_.error(key.span, "too many duplicate keys")};
  }

  static constexpr size_t kMaxDuplicates = 20;

  const Source& source_;
  std::vector<Diagnostic>& errors_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Node> anchored_;
  std::optional<Node> root_;
  std::optional<Span> last_quoted_;  // of the last scalar, when that was quoted
  size_t nodes_ = 0;
  size_t bytes_ = 0;
  int documents_ = 0;
};

// Checks that need no parser: size, encoding, characters YAML does not allow.
std::optional<Diagnostic> refuse_text(const Source& source) {
  std::string_view text = source.text();
  if (text.size() > kMaxTextBytes)
    return source.error({}, fmt::format("larger than {}", format_bytes(kMaxTextBytes)));
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned char c = static_cast<unsigned char>(text[i]);
    bool line_end = c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n');
    if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7f)
      return source.error(source.span_of(i), fmt::format("control character 0x{:02x}", c));
  }
  std::string valid = to_valid_utf8(text);
  if (valid != text) {
    size_t at = static_cast<size_t>(
        std::mismatch(text.begin(), text.end(), valid.begin(), valid.end()).first - text.begin());
    return source.error(source.span_of(at), "not valid UTF-8", "save the file as UTF-8");
  }
  return std::nullopt;
}

}  // namespace

std::optional<Node> parse_document(const Source& source, std::vector<Diagnostic>& errors) {
  if (auto refused = refuse_text(source)) {
    errors.push_back(*std::move(refused));
    return std::nullopt;
  }
  Builder builder(source, errors);
  std::optional<Diagnostic> syntax;
  try {
    std::istringstream stream{std::string(source.text())};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (Refused& refused) {
    errors.push_back(std::move(refused.why));
    return std::nullopt;
  } catch (const YAML::Exception& exception) {
    Span at = exception.mark.is_null() ? Span{} : span_of(exception.mark);
    syntax = syntax_error(source, exception.msg, at, builder.innermost());
  }
  if (auto quote = builder.last_quoted()) {
    if (auto open = check_quote(source, *quote)) syntax = std::move(open);
  }
  if (syntax) {
    errors.push_back(*std::move(syntax));
    return std::nullopt;
  }
  std::optional<Node> root = builder.take_root();
  if (!root) errors.push_back(source.error({}, "the file is empty"));
  return root;
}

}  // namespace pawl::pipeline
