# Exported ONNX models against onnxruntime; the models are what test_export writes. Skipped without it.
if(Python3_FOUND)
    add_test(NAME export_onnx COMMAND ${RLRUN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/check_onnx.py
             WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    set_tests_properties(test_export PROPERTIES FIXTURES_SETUP exports)
    set_tests_properties(export_onnx PROPERTIES LABELS fast SKIP_RETURN_CODE 77 FIXTURES_REQUIRED exports)
    # The Python package against gymnasium and Stable-Baselines3, as far as they are there.
    add_test(NAME python_gymnasium COMMAND ${RLRUN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/check_gymnasium.py)
    add_test(NAME python_stable_baselines COMMAND ${RLRUN_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/check_gymnasium.py 2000)
    set_tests_properties(python_gymnasium python_stable_baselines PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 900
        ENVIRONMENT "RLRUN_DATA=${CMAKE_SOURCE_DIR};RLRUN_LIBRARY=$<TARGET_FILE:rlrun_api>")
    set_tests_properties(python_gymnasium PROPERTIES LABELS fast)
    set_tests_properties(python_stable_baselines PROPERTIES LABELS slow)
endif()
# One of two ranks killed three times (tests/kill_ranks.sh PROGRAM 20 for more).
add_test(NAME kill_ranks COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/kill_ranks.sh $<TARGET_FILE:rlrun> 3
         WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
set_tests_properties(kill_ranks PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT "RLRUN_DATA=${CMAKE_SOURCE_DIR}")
# librlrun from an installed tree. Not with sanitizers: the example is compiled without.
if(NOT RLRUN_SANITIZE)
    add_test(NAME embed_c COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/check_embed.sh ${CMAKE_BINARY_DIR} ${CMAKE_SOURCE_DIR}
             ${CMAKE_C_COMPILER} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
    set_tests_properties(embed_c PROPERTIES LABELS fast)
endif()
