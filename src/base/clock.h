// Time of the monotonic clock (a jump of the wall clock changes nothing) and the thread's CPU time.
#pragma once

double clock_now_s(void);
double clock_thread_cpu_s(void);
