#include "engine/http/response.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/http/byte_range.h"

namespace pawl::http {
namespace {

TEST(ResponseHead, FieldsOfEveryAnswer) {
  std::string head = response_head(text_response(200, "text/plain", "x"), 1, true, 784'111'777);
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n")) << head;
  EXPECT_NE(head.find("Content-Length: 1\r\n"), head.npos);
  EXPECT_NE(head.find("Connection: keep-alive\r\n"), head.npos);
  EXPECT_NE(head.find("X-Content-Type-Options: nosniff\r\n"), head.npos);
  EXPECT_NE(head.find("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"), head.npos);
  EXPECT_NE(head.find("Cache-Control: no-store\r\n"), head.npos);
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST(ResponseHead, ARoutesOwnPolicyReplacesOurs) {
  Response page = text_response(200, "text/html", "");
  page.headers.add("content-security-policy", "default-src 'self'");
  std::string head = response_head(page, 0, false, 0);
  EXPECT_EQ(head.find("default-src 'none'"), head.npos);
  EXPECT_NE(head.find("default-src 'self'"), head.npos);
  EXPECT_NE(head.find("Connection: close"), head.npos);
}

TEST(ResponseHead, ValuesCannotSplitTheHeader) {
  Response response = text_response(302, "", "");
  response.headers.add("Location", "/x\r\nSet-Cookie: a=b");
  response.headers.add("X\nY", "z");
  std::string head = response_head(response, 0, true, 0);
  EXPECT_EQ(head.find("Set-Cookie"), head.npos);
  EXPECT_EQ(head.find("z\r\n"), head.npos);
}

TEST(ResponseHead, NoContentHasNoLength) {
  EXPECT_EQ(response_head(text_response(204, "", ""), 0, true, 0).find("Content-Length"), std::string::npos);
}

TEST(ErrorResponse, IsJsonWithTheFittingStatus) {
  Response response = error_response(Error(ErrorCode::not_found, "no run \"x\"\n", "run"));
  EXPECT_EQ(response.status, 404);
  Json body = *parse_json(std::get<std::string>(response.body), "body");
  EXPECT_EQ(body["error"]["code"], "not_found");
  EXPECT_EQ(body["error"]["message"], "run: no run \"x\"\n");
  EXPECT_EQ(error_response(Error(ErrorCode::conflict, "x")).status, 409);
  EXPECT_EQ(error_response(Error(ErrorCode::usage, "x")).status, 400);
}

TEST(ErrorResponse, InsidesStayInside) {
  Response response = error_response(Error(ErrorCode::io, "disk full", "/var/lib/secret"));
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(std::get<std::string>(response.body).find("secret"), std::string::npos);
}

TEST(Attachment, AnyNameIsSafe) {
  EXPECT_EQ(attachment("model.bin"), "attachment; filename*=UTF-8''model.bin");
  EXPECT_EQ(attachment("a\"; x\r\n\xc3\xa9"), "attachment; filename*=UTF-8''a%22%3B%20x%0D%0A%C3%A9");
}

TEST(ResponderTest, TheFirstAnswerCounts) {
  std::vector<int> statuses;
  {
    Responder responder([&statuses](Response response) { statuses.push_back(response.status); });
    Responder copy = responder;
    copy(text_response(201, "", ""));
    responder(text_response(202, "", ""));
  }
  EXPECT_EQ(statuses, std::vector<int>{201});
}

TEST(ResponderTest, ADroppedRequestIsA500) {
  std::vector<int> statuses;
  {
    Responder([&statuses](Response response) { statuses.push_back(response.status); });
  }
  EXPECT_EQ(statuses, std::vector<int>{500});
}

ByteRange part(uint64_t first, uint64_t length) {
  return {ByteRange::Kind::part, first, length};
}
const ByteRange kWhole{};
const ByteRange kNothing{ByteRange::Kind::unsatisfiable, 0, 0};

TEST(ByteRangeTest, OnePiece) {
  EXPECT_EQ(parse_range("bytes=0-99", 1000), part(0, 100));
  EXPECT_EQ(parse_range("bytes=0-0", 1000), part(0, 1));
  EXPECT_EQ(parse_range("bytes=990-2000", 1000), part(990, 10));
  EXPECT_EQ(parse_range("bytes=999-", 1000), part(999, 1));
  EXPECT_EQ(parse_range("bytes=-10", 1000), part(990, 10));
  EXPECT_EQ(parse_range("bytes=-5000", 1000), part(0, 1000));
  EXPECT_EQ(parse_range(" Bytes = 1-2", 1000), part(1, 2));
  EXPECT_EQ(parse_range("bytes=0-99999999999999999999999", 1000), part(0, 1000));
}

TEST(ByteRangeTest, NothingThere) {
  EXPECT_EQ(parse_range("bytes=1000-", 1000), kNothing);
  EXPECT_EQ(parse_range("bytes=99999999999999999999999-", 1000), kNothing);
  EXPECT_EQ(parse_range("bytes=-0", 1000), kNothing);
  EXPECT_EQ(parse_range("bytes=0-", 0), kNothing);
  EXPECT_EQ(parse_range("bytes=-1", 0), kNothing);
}

TEST(ByteRangeTest, EverythingElseIsTheWhole) {
  for (const char* header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=0-1,5-6", "lines=0-1", "bytes=1-x",
        "bytes=x-1", "bytes=--1", "bytes=1--2", "bytes=+1-2", "bytes=0x1-2"}) {
    EXPECT_EQ(parse_range(header, 1000), kWhole) << header;
  }
}

}  // namespace
}  // namespace pawl::http
