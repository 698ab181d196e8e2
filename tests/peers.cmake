# Comparison with dm_control itself where Python has it; skipped otherwise.
find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_FOUND)
    set(RLRUN_PYTHON ${Python3_EXECUTABLE} CACHE FILEPATH "Python of the tests against other packages")
    add_test(NAME compare_dm_control COMMAND ${RLRUN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/compare_dm_control.py
             $<TARGET_FILE:rlrun> ${CMAKE_SOURCE_DIR}/assets)
    set_tests_properties(compare_dm_control PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 600
        ENVIRONMENT "RLRUN_DATA=${CMAKE_SOURCE_DIR}")
endif()
# Our statistics beside the rliable package where Python has it; skipped otherwise.
if(Python3_FOUND)
    add_test(NAME compare_rliable COMMAND ${RLRUN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/compare_rliable.py
             $<TARGET_FILE:rlrun> ${CMAKE_CURRENT_SOURCE_DIR}/data/scores)
    set_tests_properties(compare_rliable PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 300)
endif()
# Event files as the tensorboard package reads them; skipped without it.
if(Python3_FOUND)
    add_test(NAME compare_tensorboard COMMAND ${RLRUN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/compare_tensorboard.py
             $<TARGET_FILE:rlrun>)
    set_tests_properties(compare_tensorboard PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 300
        ENVIRONMENT "RLRUN_DATA=${CMAKE_SOURCE_DIR}")
endif()
