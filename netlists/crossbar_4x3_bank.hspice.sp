* crossbar_4x3_bank
.option ingold=2 numdgt=10
.param switch_on=1.0000000000000000e+02 switch_off=7.4260000000000000e+05
+ source_series=5.0000000000000000e+01 word_wire=2.0000000000000000e+00
+ bit_wire=3.0000000000000000e+00 load_series=2.0000000000000000e+01
.subckt xbar_switch a b closed=1 leak=1
R1 a b 'closed*switch_on+(1-closed)*leak'
.ends xbar_switch
.subckt bank_crossbar_4x3_bank w b r0=1 o0=1 c0=1 r1=1 o1=1 c1=1 r2=1 o2=1 c2=1
Rr0 w m0 'r0'
Xs0 m0 b xbar_switch closed='c0' leak='o0'
Rr1 w m1 'r1'
Xs1 m1 b xbar_switch closed='c1' leak='o1'
Rr2 w m2 'r2'
Xs2 m2 b xbar_switch closed='c2' leak='o2'
.ends bank_crossbar_4x3_bank
Vw_0 d_0 0 dc 2.0000000000000001e-01
Vw_1 d_1 0 dc 1.0000000000000001e-01
Vw_2 d_2 0 dc -5.0000000000000003e-02
Vw_3 d_3 0 dc 1.4999999999999999e-01
Vs_0 s_0 0 dc 0.0000000000000000e+00
Vs_1 s_1 0 dc 0.0000000000000000e+00
Vs_2 s_2 0 dc 0.0000000000000000e+00
Rs_0_left d_0 e_0_left 'source_series'
Rs_1_left d_1 e_1_left 'source_series'
Rs_2_left d_2 e_2_left 'source_series'
Rs_3_left d_3 e_3_left 'source_series'
Rw_0_0 e_0_left w_0_0 'word_wire'
Rw_0_1 w_0_0 w_0_1 'word_wire'
Rw_0_2 w_0_1 w_0_2 'word_wire'
Rw_1_0 e_1_left w_1_0 'word_wire'
Rw_1_1 w_1_0 w_1_1 'word_wire'
Rw_1_2 w_1_1 w_1_2 'word_wire'
Rw_2_0 e_2_left w_2_0 'word_wire'
Rw_2_1 w_2_0 w_2_1 'word_wire'
Rw_2_2 w_2_1 w_2_2 'word_wire'
Rw_3_0 e_3_left w_3_0 'word_wire'
Rw_3_1 w_3_0 w_3_1 'word_wire'
Rw_3_2 w_3_1 w_3_2 'word_wire'
Rb_0_0 b_0_0 b_1_0 'bit_wire'
Rb_0_1 b_0_1 b_1_1 'bit_wire'
Rb_0_2 b_0_2 b_1_2 'bit_wire'
Rb_1_0 b_1_0 b_2_0 'bit_wire'
Rb_1_1 b_1_1 b_2_1 'bit_wire'
Rb_1_2 b_1_2 b_2_2 'bit_wire'
Rb_2_0 b_2_0 b_3_0 'bit_wire'
Rb_2_1 b_2_1 b_3_1 'bit_wire'
Rb_2_2 b_2_2 b_3_2 'bit_wire'
Rb_3_0 b_3_0 f_0_bottom 'bit_wire'
Rb_3_1 b_3_1 f_1_bottom 'bit_wire'
Rb_3_2 b_3_2 f_2_bottom 'bit_wire'
Rl_0_bottom f_0_bottom s_0 'load_series'
Rl_1_bottom f_1_bottom s_1 'load_series'
Rl_2_bottom f_2_bottom s_2 'load_series'
Xc_0_0 w_0_0 b_0_0 bank_crossbar_4x3_bank r0=7.4000000000000000e+03 o0='switch_off' c0=1
+ r1=9.9000000000000000e+03 o1='switch_off*1.3332884460005388e+00' c1=0 r2=1.2399999999999998e+04
+ o2='switch_off*1.6665768920010773e+00' c2=1
Xc_0_1 w_0_1 b_0_1 bank_crossbar_4x3_bank r0=8.9000000000000000e+03
+ o0='switch_off*1.1999730676003231e+00' c0=0 r1=1.1400000000000000e+04
+ o1='switch_off*1.5332615136008618e+00' c1=1 r2=8.4000000000000000e+03
+ o2='switch_off*1.1333153784002152e+00' c2=0
Xc_0_2 w_0_2 b_0_2 bank_crossbar_4x3_bank r0=1.0400000000000000e+04
+ o0='switch_off*1.3999461352006464e+00' c0=1 r1=7.4000000000000000e+03 o1='switch_off' c1=0
+ r2=9.9000000000000000e+03 o2='switch_off*1.3332884460005388e+00' c2=1
Xc_1_0 w_1_0 b_1_0 bank_crossbar_4x3_bank r0=1.0900000000000000e+04
+ o0='switch_off*1.4666038244007542e+00' c0=0 r1=7.9000000000000000e+03
+ o1='switch_off*1.0666576892001076e+00' c1=1 r2=1.0400000000000000e+04
+ o2='switch_off*1.3999461352006464e+00' c2=0
Xc_1_1 w_1_1 b_1_1 bank_crossbar_4x3_bank r0=1.2399999999999998e+04
+ o0='switch_off*1.6665768920010773e+00' c0=1 r1=9.4000000000000000e+03
+ o1='switch_off*1.2666307568004307e+00' c1=0 r2=1.1900000000000000e+04
+ o2='switch_off*1.5999192028009697e+00' c2=1
Xc_1_2 w_1_2 b_1_2 bank_crossbar_4x3_bank r0=8.4000000000000000e+03
+ o0='switch_off*1.1333153784002152e+00' c0=0 r1=1.0900000000000000e+04
+ o1='switch_off*1.4666038244007542e+00' c1=1 r2=7.9000000000000000e+03
+ o2='switch_off*1.0666576892001076e+00' c2=0
Xc_2_0 w_2_0 b_2_0 bank_crossbar_4x3_bank r0=8.9000000000000000e+03
+ o0='switch_off*1.1999730676003231e+00' c0=1 r1=1.1400000000000000e+04
+ o1='switch_off*1.5332615136008618e+00' c1=0 r2=8.4000000000000000e+03
+ o2='switch_off*1.1333153784002152e+00' c2=1
Xc_2_1 w_2_1 b_2_1 bank_crossbar_4x3_bank r0=1.0400000000000000e+04
+ o0='switch_off*1.3999461352006464e+00' c0=0 r1=7.4000000000000000e+03 o1='switch_off' c1=1
+ r2=9.9000000000000000e+03 o2='switch_off*1.3332884460005388e+00' c2=0
Xc_2_2 w_2_2 b_2_2 bank_crossbar_4x3_bank r0=1.1900000000000000e+04
+ o0='switch_off*1.5999192028009697e+00' c0=1 r1=8.9000000000000000e+03
+ o1='switch_off*1.1999730676003231e+00' c1=0 r2=1.1400000000000000e+04
+ o2='switch_off*1.5332615136008618e+00' c2=1
Xc_3_0 w_3_0 b_3_0 bank_crossbar_4x3_bank r0=1.2399999999999998e+04
+ o0='switch_off*1.6665768920010773e+00' c0=0 r1=9.4000000000000000e+03
+ o1='switch_off*1.2666307568004307e+00' c1=1 r2=1.1900000000000000e+04
+ o2='switch_off*1.5999192028009697e+00' c2=0
Xc_3_1 w_3_1 b_3_1 bank_crossbar_4x3_bank r0=8.4000000000000000e+03
+ o0='switch_off*1.1333153784002152e+00' c0=1 r1=1.0900000000000000e+04
+ o1='switch_off*1.4666038244007542e+00' c1=0 r2=7.9000000000000000e+03
+ o2='switch_off*1.0666576892001076e+00' c2=1
Xc_3_2 w_3_2 b_3_2 bank_crossbar_4x3_bank r0=9.9000000000000000e+03
+ o0='switch_off*1.3332884460005388e+00' c0=0 r1=1.2399999999999998e+04
+ o1='switch_off*1.6665768920010773e+00' c1=1 r2=9.4000000000000000e+03
+ o2='switch_off*1.2666307568004307e+00' c2=0
.op
.dc Vs_0 0 0 1
.print dc i(vs_0) i(vs_1) i(vs_2)
.end
