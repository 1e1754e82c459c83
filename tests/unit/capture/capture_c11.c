/* Records as a C program would: capture_c11 TRACE_DIR. Says "open", "busy" or "error" on a line of its own,
 * and when open records one step, waits for the end of its input and closes. */
#include <stdio.h>

#include "pawl/capture.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  pawl_capture_options options = {0};
  options.struct_size = sizeof options;
  options.rank = 0;
  options.world_size = 1;
  options.trace_dir = argv[1];
  options.producer = "c11";
  pawl_capture* capture = NULL;
  const pawl_status status = pawl_capture_open(&options, &capture);
  puts(status == PAWL_OK ? "open" : status == PAWL_E_BUSY ? "busy" : "error");
  fflush(stdout);
  if (status != PAWL_OK) return 1;

  const float weights[4] = {0.5f, -1.0f, 0.0f, 2.0f};
  const int64_t shape[2] = {2, 2};
  uint32_t loss = 0, weight = 0;
  if (pawl_capture_series(capture, "loss", PAWL_LOSS, PAWL_F32, NULL, 0, &loss) != PAWL_OK) return 3;
  if (pawl_capture_series(capture, "fc.weight", PAWL_WEIGHT, PAWL_F32, shape, 2, &weight) != PAWL_OK)
    return 3;
  pawl_capture_step_begin(capture, 0, 0);
  pawl_capture_scalar(capture, loss, 2.5);
  pawl_capture_tensor(capture, weight, weights, PAWL_F32, 4);
  pawl_capture_step_end(capture);
  while (getchar() != EOF) {
  }
  pawl_capture_close(capture);
  return 0;
}
