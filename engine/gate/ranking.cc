#include "engine/gate/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace pawl::gate {
namespace {

Error invalid(std::string message) {
  return Error(ErrorCode::invalid, std::move(message));
}

Result<void> check_finite(std::span<const double> values, const char* what) {
  if (values.empty()) return invalid("there are no examples");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return invalid(fmt::format("example {}: the {} is {}", i, what, values[i]));
    }
  }
  return {};
}

double discount(std::size_t rank_from_zero) {
  return 1 / std::log2(static_cast<double>(rank_from_zero + 2));
}

struct Document {
  std::uint64_t group;
  double score;
  double relevance;
};

// Of documents in descending order of their scores.
double discounted_gain(std::span<const Document> documents, std::size_t k) {
  double total = 0;
  for (std::size_t begin = 0; begin < documents.size() && begin < k;) {
    std::size_t end = begin;
    double gain = 0;
    double discounts = 0;
    for (; end < documents.size() && documents[end].score == documents[begin].score; ++end) {
      gain += documents[end].relevance;
      if (end < k) discounts += discount(end);
    }
    total += gain / static_cast<double>(end - begin) * discounts;
    begin = end;
  }
  return total;
}

double ideal_gain(std::span<const Document> documents, std::size_t k) {
  std::vector<double> gains;
  for (const Document& it : documents) gains.push_back(it.relevance);
  std::sort(gains.begin(), gains.end(), std::greater<>());
  double total = 0;
  for (std::size_t i = 0; i < gains.size() && i < k; ++i) total += gains[i] * discount(i);
  return total;
}

}  // namespace

Result<RankedScores> RankedScores::create(std::span<const std::uint8_t> positive,
                                          std::span<const double> scores) {
  PAWL_CHECK(positive.size() == scores.size());
  PAWL_RETURN_IF_ERROR(check_finite(scores, "score"));
  if (scores.size() > kMaxExamples) return invalid(fmt::format("more than {} examples", kMaxExamples));
  const auto negatives = std::count(positive.begin(), positive.end(), std::uint8_t{0});
  if (negatives == 0 || negatives == static_cast<std::ptrdiff_t>(positive.size())) {
    return invalid(fmt::format("a ranking needs examples of both classes, there is no {} one",
                               negatives == 0 ? "negative" : "positive"));
  }
  struct Scored {
    double score;
    std::uint32_t example;
  };
  std::vector<Scored> order(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) order[i] = {scores[i], static_cast<std::uint32_t>(i)};
  std::sort(order.begin(), order.end(), [&](const Scored& a, const Scored& b) {
    return a.score != b.score ? a.score < b.score : positive[a.example] > positive[b.example];
  });
  RankedScores ranked;
  ranked.entries_.resize(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    Entry& entry = ranked.entries_[i];
    entry.example = order[i].example & ((1u << 30) - 1);
    entry.positive = positive[order[i].example] != 0;
    entry.last_tied = i + 1 == order.size() || order[i].score < order[i + 1].score;
  }
  return ranked;
}

double auc(const RankedScores& ranked) {
  std::int64_t negatives = 0;
  std::int64_t positives = 0;
  std::int64_t tied[2] = {0, 0};
  std::int64_t wins_twice = 0;
  for (const RankedScores::Entry entry : ranked.entries()) {
    ++tied[entry.positive];
    if (!entry.last_tied) continue;
    wins_twice += tied[1] * (2 * negatives + tied[0]);
    negatives += tied[0];
    positives += tied[1];
    tied[0] = tied[1] = 0;
  }
  return static_cast<double>(wins_twice) /
         (2 * static_cast<double>(negatives) * static_cast<double>(positives));
}

Result<double> macro_auc(std::span<const std::uint32_t> labels, const ScoreTable& scores) {
  PAWL_CHECK(scores.classes > 0 && scores.values.size() == labels.size() * scores.classes);
  if (labels.empty()) return invalid("there are no examples");
  const std::uint32_t highest = *std::max_element(labels.begin(), labels.end());
  if (highest >= scores.classes) {
    return invalid(fmt::format("a label has class code {}, there are {} classes", highest, scores.classes));
  }
  std::vector<std::uint8_t> positive(labels.size());
  std::vector<double> column(labels.size());
  double sum = 0;
  for (std::size_t c = 0; c < scores.classes; ++c) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      positive[i] = labels[i] == c;
      column[i] = scores.row(i)[c];
    }
    auto ranked = RankedScores::create(positive, column);
    if (!ranked) return std::move(ranked).error().wrap(fmt::format("class {} against the rest", c));
    sum += auc(*ranked);
  }
  return sum / static_cast<double>(scores.classes);
}

double average_precision(const RankedScores& ranked) {
  const std::span<const RankedScores::Entry> entries = ranked.entries();
  double sum = 0;
  std::int64_t counted = 0;
  std::int64_t positives = 0;
  // From the highest score down, a run of ties begins at its last_tied entry.
  for (std::size_t end = entries.size(); end > 0;) {
    std::int64_t tied_positives = 0;
    std::size_t begin = end;
    do {
      --begin;
      tied_positives += entries[begin].positive;
    } while (begin > 0 && !entries[begin - 1].last_tied);
    counted += static_cast<std::int64_t>(end - begin);
    positives += tied_positives;
    sum +=
        static_cast<double>(tied_positives) * static_cast<double>(positives) / static_cast<double>(counted);
    end = begin;
  }
  return sum / static_cast<double>(positives);
}

Result<std::vector<GroupNdcg>> ndcg_by_group(std::span<const std::uint64_t> groups,
                                             std::span<const double> relevance,
                                             std::span<const double> scores, std::size_t k) {
  PAWL_CHECK(k > 0 && groups.size() == scores.size() && relevance.size() == scores.size());
  PAWL_RETURN_IF_ERROR(check_finite(scores, "score"));
  PAWL_RETURN_IF_ERROR(check_finite(relevance, "relevance"));
  std::vector<Document> documents;
  documents.reserve(scores.size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (relevance[i] < 0) return invalid(fmt::format("example {}: the relevance is {}", i, relevance[i]));
    documents.push_back({groups[i], scores[i], relevance[i]});
  }
  // Relevance last: sums of tied gains must not depend on the order of the examples, not even in the last
  // bit.
  std::sort(documents.begin(), documents.end(), [](const Document& a, const Document& b) {
    if (a.group != b.group) return a.group < b.group;
    return a.score != b.score ? a.score > b.score : a.relevance > b.relevance;
  });
  std::vector<GroupNdcg> out;
  for (std::size_t begin = 0; begin < documents.size();) {
    std::size_t end = begin;
    while (end < documents.size() && documents[end].group == documents[begin].group) ++end;
    const auto group = std::span<const Document>(documents).subspan(begin, end - begin);
    const double ideal = ideal_gain(group, k);
    if (ideal > 0) out.push_back({group.front().group, std::min(1.0, discounted_gain(group, k) / ideal)});
    begin = end;
  }
  if (out.empty()) return invalid("no group has a relevant document");
  return out;
}

}  // namespace pawl::gate
