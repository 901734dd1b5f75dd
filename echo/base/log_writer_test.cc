// SPDX-License-Identifier: Apache-2.0

#include "echo/base/log_writer.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "echo/base/unique_fd.h"
#include "gtest/gtest.h"

namespace echod {
namespace {

std::string Notice(std::int64_t count) {
  return absl::StrCat("dropped ", count, "\n");
}

class LogWriterTest : public ::testing::Test {
 protected:
  LogWriterTest() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    int ends[2] = {};
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    reader_ = UniqueFd(ends[0]);
    pipe_ = UniqueFd(ends[1]);
    writer_ = std::make_unique<LogWriter>(pipe_.get(), &Notice);
  }

  // Fills the pipe, as another process sharing it could.
  void FillPipe() {
    const int flags = fcntl(pipe_.get(), F_GETFL);
    fcntl(pipe_.get(), F_SETFL, flags | O_NONBLOCK);
    const std::string bytes(4096, '.');
    while (write(pipe_.get(), bytes.data(), bytes.size()) > 0) {
      filled_ += bytes.size();
    }
    fcntl(pipe_.get(), F_SETFL, flags);
  }

  // Reads until end of file, after destroying the writer and closing the pipe.
  std::string ReadToEnd() {
    std::string all;
    std::thread reading([&] {
      char bytes[65536];
      ssize_t count = 0;
      while ((count = read(reader_.get(), bytes, sizeof bytes)) > 0) {
        all.append(bytes, static_cast<std::size_t>(count));
      }
    });
    writer_.reset();
    pipe_.Reset();
    reading.join();
    return all.substr(filled_);
  }

  UniqueFd reader_;
  UniqueFd pipe_;
  std::size_t filled_ = 0;
  std::unique_ptr<LogWriter> writer_;
};

TEST_F(LogWriterTest, WritesLinesInOrder) {
  ASSERT_TRUE(writer_->has_thread());
  for (const char* line : {"one\n", "two\n", "three\n"}) writer_->Write(line);
  EXPECT_TRUE(writer_->Flush(absl::Seconds(60)));
  EXPECT_EQ(writer_->dropped(), 0);
  EXPECT_EQ(ReadToEnd(), "one\ntwo\nthree\n");
}

TEST_F(LogWriterTest, AFullPipeHoldsNobodyUpAndIsReported) {
  FillPipe();
  // More than the queue and the lines taken from it can hold; Write must
  // return.
  constexpr int kLines = 10'000;
  const std::string padding(100, '.');
  for (int i = 0; i < kLines; ++i) {
    writer_->Write(absl::StrCat(i, " ", padding, "\n"));
  }
  const std::int64_t dropped = writer_->dropped();
  EXPECT_GT(dropped, kLines / 3);
  EXPECT_FALSE(writer_->Flush(absl::Milliseconds(1)));

  // The notice gives the number of missing lines.
  std::int64_t next = 0;
  std::int64_t reported = 0;
  for (absl::string_view line :
       absl::StrSplit(ReadToEnd(), '\n', absl::SkipEmpty())) {
    std::int64_t number = 0;
    if (absl::ConsumePrefix(&line, "dropped ")) {
      ASSERT_TRUE(absl::SimpleAtoi(line, &number));
      reported += number;
      next += number;
    } else {
      ASSERT_TRUE(absl::SimpleAtoi(line.substr(0, line.find(' ')), &number));
      ASSERT_EQ(number, next);
      ++next;
    }
  }
  EXPECT_EQ(next, kLines);
  EXPECT_EQ(reported, dropped);
}

TEST_F(LogWriterTest, WhatTheReaderLeftIsCounted) {
  reader_.Reset();
  writer_->Write("one\n");
  writer_->Write("two\n");
  EXPECT_TRUE(writer_->Flush(absl::Seconds(60)));
  EXPECT_EQ(writer_->dropped(), 2);
}

TEST_F(LogWriterTest, WaitsWhereTheDescriptorDoesNotBlock) {
  FillPipe();
  fcntl(pipe_.get(), F_SETFL, fcntl(pipe_.get(), F_GETFL) | O_NONBLOCK);
  writer_->Write("one\n");
  EXPECT_EQ(ReadToEnd(), "one\n");
}

TEST_F(LogWriterTest, CutsALineThatIsTooLong) {
  writer_->Write(std::string(10'000, 'x') + "\n");
  writer_->Write("next\n");
  const std::string text = ReadToEnd();
  EXPECT_EQ(text.size(), LogWriter::kMostLineBytes + 5);
  EXPECT_EQ(text.substr(LogWriter::kMostLineBytes - 5), "x...\nnext\n");
}

TEST_F(LogWriterTest, AFullDiskCutsOneLineAndIsReportedWhenItHasRoom) {
  const std::string path =
      absl::StrCat(std::getenv("TEST_TMPDIR"), "/full_disk.log");
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600));
  LogWriter writer(file.get(), &Notice);
  rlimit before = {};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit full = before;
  full.rlim_cur = 6;
  setrlimit(RLIMIT_FSIZE, &full);
  for (const char* line : {"one\n", "two\n", "three\n"}) {
    writer.Write(line);
    EXPECT_TRUE(writer.Flush(absl::Seconds(60)));
  }
  EXPECT_EQ(writer.dropped(), 2);
  setrlimit(RLIMIT_FSIZE, &before);
  writer.Write("four\n");
  EXPECT_TRUE(writer.Flush(absl::Seconds(60)));
  std::string text(100, '\0');
  text.resize(
      static_cast<std::size_t>(pread(file.get(), text.data(), text.size(), 0)));
  EXPECT_EQ(text, "one\ntw\ndropped 2\nfour\n");
}

TEST_F(LogWriterTest, WithoutAThreadCallersWriteWhatFits) {
  // No stack of this size can be allocated, so no thread can start.
  pthread_attr_t before;
  pthread_getattr_default_np(&before);
  pthread_attr_t huge;
  pthread_attr_init(&huge);
  ASSERT_EQ(pthread_attr_setstacksize(&huge, std::size_t{1} << 50), 0);
  ASSERT_EQ(pthread_setattr_default_np(&huge), 0);
  LogWriter writer(pipe_.get(), &Notice);
  pthread_setattr_default_np(&before);
  pthread_attr_destroy(&before);
  pthread_attr_destroy(&huge);
  ASSERT_FALSE(writer.has_thread());
  EXPECT_EQ(writer.thread_error(), EAGAIN);
  writer.Write("one\n");
  char text[8] = {};
  EXPECT_EQ(read(reader_.get(), text, sizeof text), 4);
  EXPECT_STREQ(text, "one\n");
  FillPipe();
  writer.Write("two\n");
  EXPECT_EQ(writer.dropped(), 1);
  EXPECT_TRUE(writer.Flush(absl::ZeroDuration()));
  pipe_.Reset();
}

}  // namespace
}  // namespace echod
