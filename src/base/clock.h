// Time of the monotonic clock (a jump of the wall clock changes nothing) and CPU times.
#pragma once

double clock_now_s(void);
double clock_thread_cpu_s(void);
double clock_process_cpu_s(void); // of all threads
