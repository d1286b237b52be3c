// Reads configuration words as a chip's test bench would and prints each in binary, in order.
module read_words;
  parameter WORD_LINES = 1;
  parameter BIT_LINES = 1;
  parameter RESISTORS = 1;
  reg [RESISTORS-1:0] switches [0:WORD_LINES*BIT_LINES-1];
  reg [8191:0] name;
  integer w, b;
  initial begin
    if (!$value$plusargs("file=%s", name)) $fatal;
    $readmemh(name, switches);
    for (w = 0; w < WORD_LINES; w = w + 1)
      for (b = 0; b < BIT_LINES; b = b + 1)
        $display("%b", switches[BIT_LINES * w + b]);
    $finish(0);
  end
endmodule
