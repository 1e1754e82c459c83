#include "engine/gate/predictions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace pawl::gate {
namespace {

using ::testing::HasSubstr;

std::string problem(std::string_view text) {
  const auto vector = parse_predictions_csv(text, "p.csv");
  return vector ? "accepted" : vector.error().to_string();
}

EvaluationVector parsed(std::string_view text) {
  auto vector = parse_predictions_csv(text, "p.csv");
  EXPECT_TRUE(vector) << vector.error().to_string();
  return vector ? std::move(vector).value() : EvaluationVector();
}

TEST(Predictions, CorrectnessBitsInOrderOfIds) {
  // Ids are ordered as text: 10, 2, 9.
  const EvaluationVector vector = parsed("id,label,prediction\n9,cat,dog\n10,cat,cat\n2,dog,dog\n");
  EXPECT_EQ(vector.n, 3);
  EXPECT_EQ(vector.correct, std::string(1, '\x03'));
  EXPECT_EQ(vector.right(), 2);
  EXPECT_DOUBLE_EQ(vector.accuracy(), 2.0 / 3);
}

TEST(Predictions, OrderOfRowsAndFurtherColumnsDoNotMatter) {
  const EvaluationVector one = parsed("id,label,prediction\na,1,1\nb,2,1\n");
  EXPECT_EQ(parsed("\xef\xbb\xbfid, label, prediction,score,slice\r\nb,2,1,0.4,\"x,y\"\r\n\r\na,1,1,.9,z"),
            one);
}

TEST(Predictions, TheTestSetIsItsIdsAndLabels) {
  const std::string base = parsed("id,label,prediction\na,1,1\nb,2,1\n").testset;
  EXPECT_EQ(base.size(), 64u);
  EXPECT_EQ(parsed("id,label,prediction\na,1,2\nb,2,2\n").testset, base);
  EXPECT_NE(parsed("id,label,prediction\na,1,1\nb,1,1\n").testset, base) << "a label changed";
  EXPECT_NE(parsed("id,label,prediction\na,1,1\nc,2,1\n").testset, base) << "an id changed";
  EXPECT_NE(parsed("id,label,prediction\na,1,1\n").testset, base) << "a row is gone";
  EXPECT_NE(parsed("id,label,prediction\na1,1,1\n").testset, parsed("id,label,prediction\na,11,1\n").testset);
}

TEST(Predictions, NumbersAreComparedAsNumbers) {
  const auto right = [](const std::string& label, const std::string& prediction) {
    return parsed("id,label,prediction\n1," + label + "," + prediction + "\n").right() == 1;
  };
  EXPECT_TRUE(right("3", "3.0"));
  EXPECT_TRUE(right("-0.5", "-5e-1"));
  EXPECT_TRUE(right("cat", " cat "));
  EXPECT_FALSE(right("3", "3.1"));
  EXPECT_FALSE(right("cat", "Cat"));
  EXPECT_FALSE(right("nan", "nan")) << "a prediction that is no number is never right";
  EXPECT_FALSE(right("inf", "1e999"));
}

TEST(Predictions, BadFilesAreRefusedWithTheLine) {
  EXPECT_THAT(problem(""), HasSubstr("p.csv: the file is empty"));
  EXPECT_THAT(problem("id,label,prediction\n"), HasSubstr("there are no examples"));
  EXPECT_THAT(problem("id,prediction,label\n"), HasSubstr("column 2 is \"prediction\", expected \"label\""));
  EXPECT_THAT(problem("id\n"), HasSubstr("column 2 is \"\""));
  EXPECT_THAT(problem("id,label,prediction\n1,2\n"), HasSubstr("p.csv: line 2: 2 fields, the header has 3"));
  EXPECT_THAT(problem("id,label,prediction\n1,2,3,4\n"), HasSubstr("4 fields"));
  EXPECT_THAT(problem("id,label,prediction\n,2,3\n"), HasSubstr("line 2: the id is empty"));
  EXPECT_THAT(problem("id,label,prediction\n1, ,3\n"), HasSubstr("line 2: the label is empty"));
  EXPECT_THAT(problem("id,label,prediction\n1,2,\n"), HasSubstr("line 2: the prediction is empty"));
  EXPECT_THAT(problem("id,label,prediction\nx,1,1\ny,1,1\nx,2,2\n"),
              HasSubstr("line 4: the id \"x\" was already on line 2"));
}

TEST(Predictions, WantedColumnsAreKeptInOrderOfIds) {
  const std::string text =
      "id,label,prediction,score,lang,loss\n9,3.0,4,0.5,de,1\n10,3,3, 1e-3 ,fr,2\n2,4,4,-1,de,\"3\"\n";
  auto vector = parse_predictions_csv(text, "p.csv", {{"score", "loss", "absent"}, {"lang"}, false, true});
  ASSERT_TRUE(vector) << vector.error().to_string();
  EXPECT_EQ(vector->classes.names, (std::vector<std::string>{"3", "4"}));
  EXPECT_EQ(vector->classes.labels, (std::vector<std::uint32_t>{0, 1, 0}));
  EXPECT_EQ(vector->classes.predictions, (std::vector<std::uint32_t>{0, 1, 1}));
  EXPECT_EQ(vector->numbers,
            (std::map<std::string, std::vector<double>>{{"score", {1e-3, -1, 0.5}}, {"loss", {2, 3, 1}}}));
  EXPECT_EQ(vector->words.at("lang").names, (std::vector<std::string>{"de", "fr"}));
  EXPECT_EQ(vector->words.at("lang").codes, (std::vector<std::uint32_t>{1, 0, 0}));
  EXPECT_EQ(vector->words.size(), 1u);
  EXPECT_TRUE(parsed(text).words.empty()) << "nobody asked";
}

TEST(Predictions, AColumnOfNumbersHasNothingElse) {
  const auto read = [](const std::string& cell) {
    const auto vector =
        parse_predictions_csv("id,label,prediction,loss\n1,a,a," + cell + "\n", "p.csv", {{"loss"}, {}});
    EXPECT_TRUE(vector) << "the other columns are as good as ever";
    EXPECT_NE(vector->numbers.contains("loss"), vector->unreadable.contains("loss"));
    return vector->unreadable.empty() ? std::string("accepted") : vector->unreadable.at("loss");
  };
  for (const char* cell : {"", "nan", "inf", "1e999", "0x10", "1 2", "x"})
    EXPECT_NE(read(cell), "accepted") << cell;
  EXPECT_THAT(read("NaN"), HasSubstr("p.csv: line 2: loss is \"NaN\", not a finite number"));
  EXPECT_EQ(read("-2.5e-3"), "accepted");
}

TEST(Predictions, ColumnsOfFewWordsAreFoundByThemselves) {
  std::string text = "id,label,prediction,day,note,day\n";
  for (std::size_t i = 0; i <= kFewWords; ++i) {
    text += std::to_string(i) + ",a,a," + (i % 2 ? "mon" : "") + ",note" + std::to_string(i) + ",z\n";
  }
  WantedColumns wanted;
  wanted.few_words = true;
  auto vector = parse_predictions_csv(text, "p.csv", wanted);
  ASSERT_TRUE(vector) << vector.error().to_string();
  ASSERT_EQ(vector->words.size(), 1u) << "every note is another; the second column of a name is passed over";
  EXPECT_EQ(vector->words.at("day").names, (std::vector<std::string>{"", "mon"}));
  wanted.words = {"note"};
  EXPECT_EQ(parse_predictions_csv(text, "p.csv", wanted)->words.at("note").names.size(), kFewWords + 1);
  wanted.words = {"day"};
  EXPECT_THAT(parse_predictions_csv(text, "p.csv", wanted).error().to_string(),
              HasSubstr("two columns are called \"day\""));
}

TEST(Predictions, StreamedInAnyChunks) {
  const std::string text = "id,label,prediction\n1,a,a\n2,b,\"b\"\n3,c,a\n";
  const EvaluationVector whole = parsed(text);
  for (std::size_t chunk = 1; chunk < 10; ++chunk) {
    PredictionsReader reader("p.csv");
    for (std::size_t at = 0; at < text.size(); at += chunk) {
      ASSERT_TRUE(reader.feed(std::string_view(text).substr(at, chunk)));
    }
    auto vector = reader.finish();
    ASSERT_TRUE(vector);
    EXPECT_EQ(*vector, whole);
  }
}

TEST(Compare, CountsTheDiscordantExamples) {
  const EvaluationVector candidate =
      parsed("id,label,prediction\n1,x,x\n2,x,y\n3,x,x\n4,x,y\n5,x,x\n6,x,x\n7,x,x\n8,x,x\n9,x,y\n");
  const EvaluationVector baseline =
      parsed("id,label,prediction\n1,x,x\n2,x,x\n3,x,y\n4,x,y\n5,x,x\n6,x,x\n7,x,x\n8,x,x\n9,x,x\n");
  const auto counts = compare(candidate, baseline);
  ASSERT_TRUE(counts);
  EXPECT_EQ(*counts, (PairedCounts{9, 1, 2}));
}

TEST(Compare, DifferentTestSetsAreNotComparable) {
  const EvaluationVector one = parsed("id,label,prediction\n1,x,x\n2,x,y\n");
  const EvaluationVector other = parsed("id,label,prediction\n1,x,x\n2,y,y\n");
  const EvaluationVector fewer = parsed("id,label,prediction\n1,x,x\n");
  EXPECT_EQ(compare(one, other).error().code(), ErrorCode::conflict);
  EXPECT_THAT(compare(one, other).error().message(), HasSubstr("2 examples, but other ids or labels"));
  EXPECT_THAT(compare(one, fewer).error().message(), HasSubstr("test set changed: 2 examples, were 1"));
}

TEST(Compare, ADamagedVectorIsAnError) {
  const EvaluationVector good = parsed("id,label,prediction\n1,x,x\n2,x,y\n");
  for (auto damage :
       {+[](EvaluationVector& v) { v.correct.clear(); }, +[](EvaluationVector& v) { v.n = 0; },
        +[](EvaluationVector& v) { v.n = -5; }, +[](EvaluationVector& v) { v.correct = "\xff"; }}) {
    EvaluationVector bad = good;
    damage(bad);
    ASSERT_FALSE(compare(good, bad));
    EXPECT_EQ(compare(good, bad).error().code(), ErrorCode::invalid);
  }
}

template <class T>
std::string npy(const std::string& descr, const std::string& shape, const std::vector<T>& data,
                const std::string& order = "False") {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ').push_back('\n');
  std::string out = "\x93NUMPY";
  out.append({1, 0, static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)});
  out += header;
  out.append(reinterpret_cast<const char*>(data.data()), data.size() * sizeof(T));
  return out;
}

std::string npy_problem(const std::string& bytes) {
  const auto vector = parse_predictions_npy(bytes, "p.npy");
  return vector ? "accepted" : vector.error().to_string();
}

TEST(Npy, SameAsTheCsvOfTheSameTable) {
  const EvaluationVector expected = parsed("id,label,prediction\n7,3,3\n8,1,2\n9,0,0\n");
  const auto check = [&](const std::string& bytes) {
    const auto vector = parse_predictions_npy(bytes, "p.npy");
    ASSERT_TRUE(vector) << vector.error().to_string();
    EXPECT_EQ(*vector, expected);
  };
  check(npy<std::int64_t>("<i8", "(3, 3)", {7, 3, 3, 8, 1, 2, 9, 0, 0}));
  check(npy<std::uint8_t>("|u1", "(3, 3)", {7, 3, 3, 8, 1, 2, 9, 0, 0}));
  check(npy<std::int16_t>("<i2", "(3, 4)", {7, 3, 3, 5, 8, 1, 2, 5, 9, 0, 0, 5}));
  check(npy<float>("<f4", "(3, 3)", {7, 3, 3, 8, 1, 2, 9, 0, 0}));
  check(npy<double>("<f8", "(3, 3)", {7, 8, 9, 3, 1, 0, 3, 2, 0}, "True"));
}

TEST(Npy, TwoColumnsUseTheRowAsId) {
  const auto vector = parse_predictions_npy(npy<std::int32_t>("<i4", "(3, 2)", {3, 3, 1, 2, 0, 0}), "p.npy");
  ASSERT_TRUE(vector);
  EXPECT_EQ(*vector, parsed("id,label,prediction\n0,3,3\n1,1,2\n2,0,0\n"));
}

TEST(Npy, FurtherColumnsAreScores) {
  const auto numbers = [](const std::string& bytes) {
    return parse_predictions_npy(bytes, "p.npy", {{"score", "score_0", "score_1"}, {}})->numbers;
  };
  EXPECT_EQ(numbers(npy<float>("<f4", "(2, 4)", {8, 1, 1, .5, 7, 0, 1, .25})),
            (std::map<std::string, std::vector<double>>{{"score", {.25, .5}}}));
  EXPECT_EQ(numbers(npy<float>("<f4", "(1, 5)", {8, 1, 1, .5, .25})),
            (std::map<std::string, std::vector<double>>{{"score_0", {.5}}, {"score_1", {.25}}}));
  EXPECT_EQ(numbers(npy<float>("<f4", "(1, 3)", {8, 1, 1})).size(), 0u);
  // No row, so that any number of columns fits the file.
  EXPECT_FALSE(
      parse_predictions_npy(npy<float>("<f4", "(0, 9007199254740993)", {}), "p.npy", {{"score"}, {}}));
}

TEST(Npy, NanIsNeverRight) {
  const auto vector = parse_predictions_npy(npy<float>("<f4", "(2, 2)", {NAN, NAN, 1, 1}), "p.npy");
  ASSERT_TRUE(vector);
  EXPECT_EQ(vector->right(), 1);
}

TEST(Npy, BadFilesAreRefused) {
  const std::vector<std::int32_t> six = {1, 2, 3, 4, 5, 6};
  EXPECT_THAT(npy_problem("PK"), HasSubstr("p.npy: this is no .npy file"));
  EXPECT_THAT(npy_problem(npy("<i4", "(6,)", six)), HasSubstr("two dimensions"));
  EXPECT_THAT(npy_problem(npy("<i4", "(6, 1)", six)), HasSubstr("two dimensions"));
  EXPECT_THAT(npy_problem(npy("<i4", "(1, 2, 3)", six)), HasSubstr("two dimensions"));
  EXPECT_THAT(npy_problem(npy(">i4", "(3, 2)", six)), HasSubstr("element type"));
  EXPECT_THAT(npy_problem(npy("<U4", "(3, 2)", six)), HasSubstr("element type"));
  EXPECT_THAT(npy_problem(npy("<i4", "(4, 2)", six)), HasSubstr("do not make shape (4, 2)"));
  EXPECT_THAT(npy_problem(npy("<i4", "(4611686018427387904, 4)", six)), HasSubstr("overflows"));
  EXPECT_THAT(npy_problem(npy("<i4", "(0, 2)", std::vector<std::int32_t>())), HasSubstr("no examples"));
  EXPECT_THAT(npy_problem(npy("<i4", "(3, 2)", six, "Maybe")), HasSubstr("neither True nor False"));
  const std::string good = npy("<i4", "(3, 2)", six);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(npy_problem(good.substr(0, size)), "accepted");
}

}  // namespace
}  // namespace pawl::gate
