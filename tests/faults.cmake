# A library that makes the system fail, loaded before the C library into runs of the program. Not with
# sanitizers, which must come first.
if(RLRUN_SANITIZE)
    set_tests_properties(slow_soak PROPERTIES DISABLED TRUE)
endif()
set_tests_properties(slow_soak PROPERTIES TIMEOUT 3600)
add_library(rlrun_faults MODULE faults/faults.c)
target_link_libraries(rlrun_faults PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(rlrun_faults PROPERTIES PREFIX "")
add_dependencies(slow_soak rlrun_faults)
target_compile_definitions(slow_soak PRIVATE FAULTS_LIBRARY="$<TARGET_FILE:rlrun_faults>")
